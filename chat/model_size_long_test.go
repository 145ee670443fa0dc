//go:build long

package chat

// How many programs are run against the model, and how long they are. rapid makes a hundred in
// each check.
const (
	modelChecks = 200
	modelKills  = 500
	modelSteps  = 40
)
