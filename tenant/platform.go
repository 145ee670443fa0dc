package tenant

import "time"

// A Server is one NATS server as it tells of itself, or as others tell of one that does not answer.
type Server struct {
	ID          string    `json:"id,omitempty" doc:"Empty: only its name is known"`
	Name        string    `json:"name"`
	Answers     bool      `json:"answers" doc:"Where it does not, the counts are 0, and heard is when it last did"`
	Version     string    `json:"version,omitempty"`
	Cluster     string    `json:"cluster,omitempty"`
	Since       time.Time `json:"since,omitzero" doc:"When it started"`
	Heard       time.Time `json:"heard,omitzero"`
	Connections int64     `json:"connections"`
	Memory      int64     `json:"memory" doc:"Bytes"`
	CPU         float64   `json:"cpu" doc:"Percent of one core"`
	Cores       int64     `json:"cores"`
	Storage     Use       `json:"storage" doc:"Bytes of JetStream on the disk"`
	Routes      []string  `json:"routes" nullable:"false" doc:"The servers of its cluster that it is connected to"`
}

// A Stream is one stream of the platform with how far it is projected.
type Stream struct {
	Stream    string   `json:"stream"`
	Tenant    TenantID `json:"tenant"`
	Class     Class    `json:"class"`
	Missing   bool     `json:"missing" doc:"It has a record, but the servers don't have it"`
	Messages  int64    `json:"messages" doc:"Events among them"`
	Bytes     Use      `json:"bytes"`
	First     uint64   `json:"first"`
	Last      uint64   `json:"last"`
	Projected uint64   `json:"projected" doc:"The newest sequence that can be read"`
	Lag       uint64   `json:"lag" doc:"Sequences that are stored and not projected"`
	Replicas  int64    `json:"replicas"`
	Behind    int64    `json:"replicas_behind" doc:"Replicas that are offline or not current"`
	Leader    string   `json:"leader,omitempty" doc:"The server that leads it, in a cluster"`
}

// Cursor is what Page.After is behind the stream.
func (s Stream) Cursor() string { return string(s.Tenant) + "/" + string(s.Class) }

// A Check is one thing that was looked at, and what to do where it is not well.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Found  string `json:"found"`
	Remedy string `json:"remedy,omitempty" doc:"What to do where it is not ok"`
}

// A Projection is how far the messages of all streams are in the records.
type Projection struct {
	Led     bool     // a process projects
	Streams int64    // all
	Missing []string // streams that the servers don't have
	Behind  []string // streams whose messages did not come into the records while it was waited for them
}

// A Backlog is what the records ask for and is not done.
type Backlog struct {
	Accounts int64
	Newest   time.Time // when the newest claims were signed
	Behind   []string  // accounts whose claims some server lacks for a while already, by tenant or name
	Failing  []string  // jobs that failed: kind and the last failure; the first few
	Failed   int64     // all of those
	// Forgotten are the revocations that were carried out again within a week, since the database had been restored to
	// a time before them; Found is when.
	Forgotten int64
	Found     time.Time
}
