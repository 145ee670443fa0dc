package tenant

import "time"

// Midnight is the last moment up to now at which the date in a place went forward: midnight by its
// clocks, also where they skip it or pass it twice, and where a place skips a whole day.
func Midnight(now time.Time, place *time.Location) time.Time {
	for {
		now = now.In(place)
		begin, _ := now.ZoneBounds() // one offset holds from here on
		_, offset := now.Zone()
		clock := now.Unix() + int64(offset)
		midnight := time.Unix(now.Unix()-mod(clock, 24*60*60), 0).In(place)
		if begin.IsZero() || midnight.After(begin) {
			return midnight
		}
		before := begin.Add(-1)
		if date(before.In(place)) < date(begin.In(place)) {
			return begin.In(place)
		}
		now = before
	}
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// date is a day as a number that grows from day to day.
func date(t time.Time) int {
	y, m, d := t.Date()
	return y*10_000 + int(m)*100 + d
}
