package tenant

// Imported tells what became of a batch of lines.
type Imported struct {
	Imported int `json:"imported"`
	Doubles  int `json:"doubles"` // were there already
	Skipped  int `json:"skipped"` // events, which tell of another room's life
	Line     int `json:"line"`    // the last that was read
}
