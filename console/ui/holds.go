package ui

import "time"

// Holds lists what is kept for a court or a regulator.
type Holds struct {
	Page
	Base string
	Rows []HoldRow
	Form Form
}

// A HoldRow is one hold.
type HoldRow struct {
	Room, Reason string // Room is empty: all rooms
	Since        time.Time
	Export       string // empty: each room has its own
	Lift         Button
}

func (Holds) template() string { return "holds" }
