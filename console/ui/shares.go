package ui

import "time"

// Shares lists the offers and shares of a tenant, in and out.
type Shares struct {
	Page
	ID             string
	Rooms          string // where rooms are made
	Search         Search
	Rows           []ShareRow // what waits for an answer first
	Pager          Pager
	Offer, Service Form
	Open           string // "room" or "service": which form
	May            bool
}

// A ShareRow is one share as one of its two tenants sees it.
type ShareRow struct {
	Link, Title, With, Status string
	Service                   string // what it shares; empty: a room
	Out                       bool   // the room is the tenant's own
	Post                      bool
	Since                     time.Time // of the status
	By                        string
}

// Share is one share. Of its forms those are there that its status and the person's role allow.
type Share struct {
	Page
	List, Room             string
	Row                    ShareRow
	Host, Guest            string
	Everything             bool   // the guest reads what was said before too
	Keeps                  bool   // the guest keeps a frozen copy
	Copy                   string // where the guest has it
	OfferedAt, AcceptedAt  time.Time
	OfferedBy, AcceptedBy  string
	EndedAt, ExpiresAt     time.Time
	EndedBy                string
	Accept, Rename, Change *Form
	Decline, End           *Button
}

func (Shares) template() string { return "shares" }
func (Share) template() string  { return "share" }
