package ui

// Overview is the first page of a tenant.
type Overview struct {
	Page
	ID, Account string
	Connections int64
}

func (Overview) template() string { return "overview" }
