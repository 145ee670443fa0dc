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
	Lift         string
}

// HoldLift asks whether a hold is to end.
type HoldLift struct {
	Page
	Holds string
	Row   HoldRow
	Form  Form
}

func (Holds) template() string    { return "holds" }
func (HoldLift) template() string { return "holdlift" }
