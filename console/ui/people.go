package ui

import "time"

// Login is where people log in.
type Login struct {
	Page
	Form    Form
	Passkey *Form // nil: none can be made for this site
	SignUp  bool  // everybody may sign up
	SSO     []Option
}

// Join is where people sign up: by a link, or without one where everybody may.
type Join struct {
	Page
	Form   Form
	Linked bool // by a link: what it is for is told by LinkInfo, as soon as its secret is there
	Accept *Form
}

// LinkInfo tells what a link is for.
type LinkInfo struct {
	Error  string
	Kind   string // operator, founder, seat or recovery
	Tenant string
	Role   string
	Until  time.Time
	SSO    []Option // to join by a login provider
}

// Recover is where people set a new password by a link.
type Recover struct {
	Page
	Form Form
}

// Account is a person's own page.
type Account struct {
	Page
	Name       string
	Since      time.Time
	Password   Form
	Codes      Form
	CodesLeft  int
	Passkeys   []PasskeyRow
	AddPasskey *Form  // nil: none can be made for this site,
	NoHost     string // which is at this address
	Logins     []LoginRow
	EndOther   Button
}

// A PasskeyRow is one of a person's passkeys.
type PasskeyRow struct {
	Name        string
	Synced      bool      // it may be on several devices
	Since, Used time.Time // Used zero: never
	Rename      Form
	Remove      Button
}

// A LoginRow is one open session.
type LoginRow struct {
	Agent, Address string
	Since, Seen    time.Time
	Current        bool
	End            Button
}

// Home lists the tenants that a person works for.
type Home struct {
	Page
	Places []Place
	Found  bool // he may make tenants
}

// NewTenant is where a tenant is made.
type NewTenant struct {
	Page
	Form Form
}

// Failure is what is shown where something went wrong.
type Failure struct {
	Page
	Heading string
	Message string
	Remedy  string
	Link    Option // where to go on: address and words
	Request string // the request's id, where the log has more
}

// Insecure is shown where cookies would travel in the clear.
type Insecure struct{ Page }

func (Login) template() string     { return "login" }
func (Join) template() string      { return "join" }
func (LinkInfo) template() string  { return "linkinfo" }
func (Recover) template() string   { return "recover" }
func (Account) template() string   { return "account" }
func (Home) template() string      { return "home" }
func (NewTenant) template() string { return "newtenant" }
func (Failure) template() string   { return "failure" }
func (Insecure) template() string  { return "insecure" }
