package tenant

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// A Share is an offer of a shared room, or of a service, by its host to another tenant, and what became of it.
type Share struct {
	ID         string       `json:"id"`
	Room       RoomID       `json:"room,omitempty"`    // the room's address, by which the guest names it; of a room alone
	Service    string       `json:"service,omitempty"` // the service's name at its host; the guest's users ask <service>@<host>
	Host       TenantID     `json:"host"`
	Guest      TenantID     `json:"guest"`
	Title      string       `json:"title"`             // the room's or the service's, or the guest's own
	Post       bool         `json:"post"`              // the guest's users may post
	History    ShareHistory `json:"history,omitempty"` // what the guest's users read of before
	KeepCopy   bool         `json:"keep_copy"`         // of a room: when the share ends, the guest keeps a frozen copy
	Copy       RoomID       `json:"copy,omitempty"`    // that room of the guest's, once the share has ended
	Status     ShareStatus  `json:"status"`
	OfferedAt  time.Time    `json:"offered_at"`
	OfferedBy  string       `json:"offered_by"`
	ExpiresAt  time.Time    `json:"expires_at,omitzero"` // of an offer: when it can't be accepted any more
	Until      time.Time    `json:"until,omitzero"`      // when the share ends by itself; zero: never
	AcceptedAt time.Time    `json:"accepted_at,omitzero"`
	AcceptedBy string       `json:"accepted_by,omitzero"`
	EndedAt    time.Time    `json:"ended_at,omitzero"`
	EndedBy    string       `json:"ended_by,omitzero"`

	HostRoom RoomID `json:"-"` // the room's id at its host
}

// ShareStatus of a share.
type ShareStatus string

// The states of a share. Only an accepted one gives the guest anything.
const (
	ShareOffered  ShareStatus = "offered"
	ShareAccepted ShareStatus = "accepted"
	ShareDeclined ShareStatus = "declined"
	ShareEnded    ShareStatus = "ended"
	ShareExpired  ShareStatus = "expired"
)

// ShareHistory says what a guest's users read of the time before the share.
type ShareHistory string

// A guest's users read everything, or what was posted since the share was accepted.
const (
	ShareAll   ShareHistory = "all"
	ShareSince ShareHistory = "share"
)

// NewShare is what is said of an offer, of a room or of a service.
type NewShare struct {
	Room    string    // the room's id, or its address
	Service string    // the name on which backends of the tenant answer
	Guest   string    // id of the tenant
	Post    bool      // else its users read
	History string    // all, or share (the default)
	Keep    bool      // the guest keeps a frozen copy when the share ends
	Until   time.Time // when the share ends by itself; zero: never
}

// SharePatch holds what changes; nil stays. Post (of a room) and Until are the host's, Title is the guest's.
type SharePatch struct {
	Post  *bool
	Until *time.Time // zero: never
	Title *string    // "": the host's
}

// Bounds of sharing.
const (
	// offerLife is how long an offer waits for its answer.
	offerLife = 30 * 24 * time.Hour
	// maxGuests is how many tenants one room is open to: each is a subject of its stream.
	maxGuests = 50
	// MaxShared is how many shared rooms one tenant has, its own and those of others, and services of others:
	// each is an import with its activation in its account's claims, which have a bound of 1 MiB.
	MaxShared = 400
)

func (n NewShare) parse(host TenantID, now time.Time) (guest TenantID, history ShareHistory, err error) {
	f := faults{}
	guest, err = ParseTenantID("guest", n.Guest)
	f.add(err)
	f.check(err != nil || guest != host, "guest", "a tenant can't share with itself; name another tenant")
	if n.Service == "" {
		history = n.parseRoom(f)
	} else {
		n.parseService(f)
	}
	f.check(n.Until.IsZero() || n.Until.After(now), "until", "must be in the future")
	return guest, history, f.err()
}

func (n NewShare) parseRoom(f faults) ShareHistory {
	f.check(n.Room != "", "room", "must be the id of a shared room of yours; or name a service")
	switch h := ShareHistory(n.History); h {
	case "":
		return ShareSince
	case ShareAll, ShareSince:
		return h
	}
	f["history"] = "must be all or share"
	return ""
}

func (n NewShare) parseService(f faults) {
	f.check(ValidID(n.Service), "service", idRule)
	f.check(n.Room == "", "room", "a share is of a room or of a service; leave one out")
	f.check(!n.Post, "post", "nobody posts in a service; leave it out")
	f.check(n.History == "", "history", "a service has none; leave it out")
	f.check(!n.Keep, "keep_copy", "nothing of a service can be kept; leave it out")
}

// newAddress is a room's name in the whole system: nobody can guess it, and nothing of the host is in it.
func newAddress() string { return "r" + strings.ToLower(rand.Text()) }

// copyID is the guest's room with the frozen copy of what was shared.
func copyID(share string) RoomID { return RoomID("copy-" + share) }

func newShareID() string { return strings.ToLower(rand.Text()) }

// ParseShareID parses an id of a share; field names it in the error.
func ParseShareID(field, s string) (string, error) {
	if len(s) != 26 || !ValidID(s) {
		return "", Invalid(field, "must be the id of a share, 26 characters")
	}
	return s, nil
}

// GuestName names a user of another tenant than a room's host, where the host's own have their ids.
func GuestName(u UserID, t TenantID) UserID { return u + "@" + UserID(t) }

// ParseMemberID parses the name of a member of a room: a user id, or <user>@<tenant> for a user of another
// tenant in a shared room; field names it in the error.
func ParseMemberID(field, s string) (UserID, error) {
	user, of, guest := strings.Cut(s, "@")
	if !ValidID(user) || guest && !ValidID(of) {
		return "", Invalid(field, idRule+"; of another tenant's user: <user>@<tenant>")
	}
	return UserID(s), nil
}

// splitGuest takes the name of another tenant's user apart.
func splitGuest(name UserID) (u UserID, t TenantID, ok bool) {
	user, of, ok := strings.Cut(string(name), "@")
	return UserID(user), TenantID(of), ok
}

// guestView is a shared room of its host's as a guest names it.
func guestView(ctx context.Context, tx Tx, room Room, guest TenantID) (Room, error) {
	if room.Kind != Shared || room.Host != "" {
		return Room{}, NotFound("member")
	}
	view, err := liveRoom(ctx, tx, guest, RoomID(room.Address))
	if errors.Is(err, ErrNotFound) || err == nil && view.Host != room.Tenant {
		return Room{}, NotFound("member")
	}
	return view, err
}

// announce tells a room of a change of its members, in the names that it has for them. byHost: who did
// it is one of the host's, though the room is seen from a guest.
func announce(ctx context.Context, tx Tx, room Room, e Event, byHost bool) error {
	if room.Host == "" {
		return tx.Announce(ctx, room.Tenant, room.ID, e)
	}
	if e.User != "" {
		e.User = GuestName(e.User, room.Tenant)
	}
	if e.By != "" && !byHost {
		e.By = string(GuestName(UserID(e.By), room.Tenant))
	}
	return tx.Announce(ctx, room.Host, room.HostID, e)
}

// involves reports whether a tenant is host or guest.
func (s Share) involves(t TenantID) bool { return s.Host == t || s.Guest == t }

// open reports whether a share can still give the guest something.
func (s Share) open() bool { return s.Status == ShareOffered || s.Status == ShareAccepted }

// lapsed reports whether time ended what nobody has ended yet.
func (s Share) lapsed(now time.Time) bool {
	return s.open() && !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
}

// ShareReader reads shares. What does not exist is ErrNotFound.
type ShareReader interface {
	Share(ctx context.Context, id string) (Share, error)
	Shares(ctx context.Context, t TenantID, p Page) ([]Share, error) // as host or guest, by id
}

// ShareTx changes shares, in a transaction of host or guest.
type ShareTx interface {
	// SharedRoom finds a room of kind shared that the tenant hosts, by its id or address.
	SharedRoom(ctx context.Context, host TenantID, r RoomID) (Room, error)
	TenantStatus(ctx context.Context, t TenantID) (Status, error) // of another tenant than the transaction's
	CountGuests(ctx context.Context, address RoomID) (int, error) // offers and shares that are open
	CountShared(ctx context.Context, t TenantID) (int, error)     // shared rooms of its own, rooms and services of others
	InsertShare(ctx context.Context, s Share) error               // ErrConflict: one is open for this room or service and guest
	// LockShare reads a share and keeps others from changing it.
	LockShare(ctx context.Context, id string) (Share, error)
	UpdateShare(ctx context.Context, s Share) error
	// LockOpenShares is LockShare for all offers and shares of a room that are open.
	LockOpenShares(ctx context.Context, host TenantID, r RoomID) ([]Share, error)
	// LockSharesOf is LockShare for all offers and shares of a tenant, as host or guest, that are open.
	LockSharesOf(ctx context.Context, t TenantID) ([]Share, error)
	// DeleteGuests removes a guest's users from the host's room and returns who they were.
	DeleteGuests(ctx context.Context, host TenantID, r RoomID, guest TenantID) ([]Member, error)
}
