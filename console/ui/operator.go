package ui

import "time"

// Tenants lists all tenants, for operators.
type Tenants struct {
	Page
	Search Search
	Rows   []TenantRow
	Pager  Pager
}

// A TenantRow is one tenant in a list.
type TenantRow struct {
	Link, ID, Name, Status string
	Since                  time.Time
}

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
}

// Health shows jobs and accounts, for operators.
type Health struct {
	Page
	Jobs     []JobRow
	Accounts []AccountRow
	Behind   int64 // accounts that a server does not have as they shall be
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
