// Package grant decides which subjects one connection of a user may publish and
// subscribe. It is a pure function of the user's memberships, without clock, context
// or log, and builds no subject itself. It never answers with an empty list, which NATS
// reads as "everything".
package grant

import (
	"slices"

	"parley/tenant"
	"parley/tenant/subject"
)

// A Grant is the permissions of one connection, as subjects of the tenant's account,
// each list sorted, without doubles and never empty. Everything else is forbidden.
type Grant struct {
	Pub, Sub []string
	// SubDeny holds "<subject> <queue>" pairs alone. Groups merge across accounts, so
	// that a member of one could take messages away from the others (NATS.md).
	SubDeny []string
}

// For grants what DESIGN.md section 4 gives the user u of t: whatever costs a constant number of
// subjects, and one by one what the first tenant.MaxListedRooms of rooms add.
//
// A restricted user (tenant.Identity) has fewer rights than everybody in some open or announce
// room, which rooms need not list. No wildcard can leave one room out and denies are not to be
// trusted beside wildcards, so he loses the wildcards over both kinds, and reads, posts and
// signals in the open and announce rooms of the list alone, each by tenant.RightsOf. A row of the
// list that takes rights away restricts him too, whatever the flag says.
func For(t tenant.TenantID, u tenant.UserID, rooms []tenant.Membership, restricted bool) Grant {
	if len(rooms) > tenant.MaxListedRooms {
		rooms = rooms[:tenant.MaxListedRooms]
	}
	restricted = restricted || slices.ContainsFunc(rooms, takesAway)
	b := builder{
		tenant: t, user: u,
		pub: make([]string, 0, 9+2*len(rooms)),
		sub: make([]string, 0, 10+2*len(rooms)),
	}
	b.own()
	if !restricted {
		b.everybody()
	}
	for i := range rooms {
		b.room(&rooms[i], restricted)
	}
	return b.grant()
}

// takesAway reports whether the row leaves the user with less than one who has none.
func takesAway(m tenant.Membership) bool {
	if !wild(m.Kind) {
		return false
	}
	all, his := tenant.RightsOf(m.Kind, nil), tenant.RightsOf(m.Kind, &m)
	return all.Read && !his.Read || all.Post && !his.Post || all.Signal && !his.Signal
}

// wild are the kinds of rooms that everybody reads through a wildcard.
func wild(k tenant.Kind) bool { return k == tenant.Open || k == tenant.Announce }

type builder struct {
	tenant   tenant.TenantID
	user     tenant.UserID
	pub, sub []string
}

func (b *builder) grant() Grant {
	return Grant{
		Pub:     sorted(b.pub),
		Sub:     sorted(b.sub),
		SubDeny: []string{"live.> >", "sig.> >"},
	}
}

// own is what no membership can take away: the API, services, replies, notices and direct rooms.
func (b *builder) own() {
	u := string(b.user)
	b.ask()
	b.sub = append(b.sub, subject.Notice(b.user, subject.Any), subject.Inboxes(b.user))
	for _, pair := range []tenant.RoomID{tenant.RoomID(u + "." + subject.Any), tenant.RoomID(subject.Any + "." + u)} {
		p := subject.Post{Class: subject.Any, Kind: tenant.Direct, Room: pair}
		b.read(p)
		b.post(p)
		b.signal(p)
	}
}

// ask lets the user ask the chat service, and services, as himself.
func (b *builder) ask() {
	b.pub = append(b.pub, subject.API(b.user, subject.Any), subject.Ask(subject.Any, b.tenant, b.user))
}

// everybody is what all users of the tenant may do in its open and announce rooms.
func (b *builder) everybody() {
	for _, k := range []tenant.Kind{tenant.Open, tenant.Announce} {
		b.allow(subject.Post{Class: subject.Any, Kind: k, Room: subject.Any}, tenant.RightsOf(k, nil))
	}
}

// room adds what the membership gives beyond the wildcards.
func (b *builder) room(m *tenant.Membership, restricted bool) {
	r := tenant.RightsOf(m.Kind, m)
	switch {
	case !literal(m):
		// Direct rooms are among these: own has them all.
	case m.Kind == tenant.Shared:
		b.shared(m.Address, r)
	case wild(m.Kind) && !restricted:
		all := tenant.RightsOf(m.Kind, nil)
		r.Read, r.Post, r.Signal = r.Read && !all.Read, r.Post && !all.Post, r.Signal && !all.Signal
		fallthrough
	default:
		b.allow(subject.Post{Class: m.Class, Kind: m.Kind, Room: m.Room}, r)
	}
}

// literal reports whether the room's tokens are such as tenant parses: a wildcard that
// got into a row must not become a right.
func literal(m *tenant.Membership) bool {
	switch m.Kind {
	case tenant.Shared:
		return tenant.ValidID(m.Address)
	case tenant.Open, tenant.Announce, tenant.Private:
		return tenant.ValidID(string(m.Room)) && slices.Contains(tenant.Classes, m.Class)
	}
	return false
}

// shared has no signals: they never leave an account.
func (b *builder) shared(address string, r tenant.Rights) {
	p := subject.Post{Kind: tenant.Shared, Room: tenant.RoomID(address)}
	if r.Read {
		p.Sender = subject.Any
		b.sub = append(b.sub, p.LiveShared(subject.Any))
	}
	if r.Post {
		b.post(p)
	}
}

func (b *builder) allow(p subject.Post, r tenant.Rights) {
	if r.Read {
		b.read(p)
	}
	if r.Post {
		b.post(p)
	}
	if r.Signal {
		b.signal(p)
	}
}

// read lets the user see the messages and signals of all senders in p.
func (b *builder) read(p subject.Post) {
	p.Sender = subject.Any
	b.sub = append(b.sub, p.Live(), p.Sig())
}

func (b *builder) post(p subject.Post) {
	p.Sender = string(b.user)
	b.pub = append(b.pub, p.Chat())
}

func (b *builder) signal(p subject.Post) {
	p.Sender = string(b.user)
	b.pub = append(b.pub, p.Sig())
}

func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
