package client

// State of the connection.
type State string

// The states. A client is Connected when Connect returns.
const (
	Connected    State = "connected"
	Reconnecting State = "reconnecting"
	// Refused: the server does not let the user in any more. The client keeps trying, less and less often.
	Refused State = "refused"
	// Stopped: closed, or revoked. It is the last state.
	Stopped State = "stopped"
)

// A Status is a change of the state.
type Status struct {
	State State
	Err   error // why, for Refused and Stopped
}
