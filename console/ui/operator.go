package ui

import "time"

// Tenants lists all tenants, for operators.
type Tenants struct {
	Page
	Search Search
	Rows   []TenantRow
	Pager  Pager
}

// A TenantRow is one tenant in a list, with what it uses of its limits.
type TenantRow struct {
	Link, ID, Name string
	Health         Word
	Near           string // the limits that it is near
	Uses           []Tile
	Since          time.Time
}

// A Word says how something is; Tone is good, warn or bad.
type Word struct{ Text, Tone string }

// TenantCard is one tenant as operators see it.
type TenantCard struct {
	Page
	ID, Name, Account, Zone, State string
	Since                          time.Time
	Tiles                          []Tile
	InStep                         bool // every server has its claims
	Enter, Limits                  Form
	Switch                         Button // suspends or resumes
}

// Servers shows the NATS servers, for operators.
type Servers struct {
	Page
	Rows   []ServerRow
	Silent int64 // servers that don't answer
}

// A ServerRow is one server, or the name of one that does not answer.
type ServerRow struct {
	Name, ID, Version, Cluster, CPU string
	Answers                         bool
	Connections                     int64
	Memory                          int64
	Stored                          Tile
	Routes                          string
	Since, Heard                    time.Time // zero: not known
}

// Streams lists what holds the messages, for operators.
type Streams struct {
	Page
	Search Search
	Rows   []StreamRow
	Pager  Pager
}

// A StreamRow is one stream.
type StreamRow struct {
	Tenant, Link, Class, Name   string
	State                       Word
	Messages                    int64
	Stored                      Tile
	First, Last, Projected, Lag uint64
	Replicas, Behind            int64 // Behind: those that are not current
	Leader                      string
}

// Folks lists the people of the console, for operators.
type Folks struct {
	Page
	Search Search
	Rows   []FolkRow
	Pager  Pager
	Links  []LinkRow
	Invite Form
}

// A FolkRow is one person.
type FolkRow struct {
	Email, Name       string
	Operator, Founder bool
	Since             time.Time
	Recover           Button
	Unlink            *Button // where they log in by the provider
}

// Health shows jobs and accounts, for operators.
type Health struct {
	Page
	Jobs     []JobRow
	Accounts []AccountRow
	Behind   int64 // accounts that a server does not have as they shall be
}

// Checks are what was looked at, and what to do where something is at fault.
type Checks struct {
	At     time.Time
	Faults int64
	Rows   []CheckRow
}

// A CheckRow is one thing that was looked at.
type CheckRow struct {
	Name, Found, Remedy string
	OK                  bool
}

// A JobRow is one job that is not done.
type JobRow struct {
	ID                        int64
	Kind, State, Args, Failed string
	Attempt, Most             int64
	At                        time.Time
	Retry                     *Button
}

// An AccountRow compares wanted and pushed claims.
type AccountRow struct {
	Name, Account  string
	Wanted, Pushed time.Time
	InStep         bool
}

func (Tenants) template() string    { return "tenants" }
func (TenantCard) template() string { return "tenantcard" }
func (Folks) template() string      { return "folks" }
func (Health) template() string     { return "health" }
func (Checks) template() string     { return "checks" }
func (Servers) template() string    { return "servers" }
func (Streams) template() string    { return "streams" }
