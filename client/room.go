package client

import (
	"cmp"
	"encoding/json"
	"errors"

	"parley/tenant"
	"parley/tenant/subject"
)

// A Room is a room as the user sees it, from Rooms, Room, Join or Direct.
type Room struct {
	ID       tenant.RoomID
	Kind     tenant.Kind
	Class    tenant.Class
	Title    string
	Role     tenant.Role // empty: not a member
	Unread   int64
	Mentions int64
	Last     uint64      // sequence of the newest message, 0: none
	Read     uint64      // sequence of the last message that the user has read
	First    uint64      // sequence of the first that he has not, 0: none
	Notify   string      // what he wants to be told: NotifyAll, NotifyMentions or NotifyNone
	Shared   *SharedRoom // of a room that tenants share, else nil
}

// errForeign says that an answer holds a room that this client can't know.
var errForeign = errors.New("a room of an unknown kind or form")

// UnmarshalJSON takes only what may stand in a subject.
func (r *Room) UnmarshalJSON(b []byte) error {
	var w struct {
		ID, Kind, Class, Title string
		Role                   tenant.Role
		Unread, Mentions       int64
		Last, Read             uint64
		First                  uint64 `json:"first_unread"`
		Notify                 string
		SharedRoom
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	id, errID := tenant.ParseRoomID("id", w.ID)
	kind, errKind := tenant.ParseKind(w.Kind)
	class, errClass := tenant.ParseClass(w.Class)
	if errID != nil || errKind != nil || errClass != nil {
		return errForeign
	}
	*r = Room{id, kind, class, w.Title, w.Role, w.Unread, w.Mentions, w.Last, w.Read, w.First, cmp.Or(w.Notify, NotifyAll), nil}
	if kind != tenant.Shared {
		return nil
	}
	var err error
	r.Shared, err = parseShared(w.SharedRoom)
	return err
}

// place is the room's place in subjects with a sender, or subject.Any for all of them.
func (r Room) place(sender string) (subject.Post, error) {
	id, errID := tenant.ParseRoomID("room", string(r.ID))
	_, errKind := tenant.ParseKind(string(r.Kind))
	_, errClass := tenant.ParseClass(string(r.Class))
	_, _, pair := id.Pair()
	switch {
	case errID != nil || errKind != nil || errClass != nil || r.Class == "" || pair != (r.Kind == tenant.Direct) || (r.Shared != nil) != (r.Kind == tenant.Shared):
		return subject.Post{}, newError(tenant.CodeInvalid, nil, "room %q is not one that Rooms, Room, Join or Direct returned", r.ID)
	case r.Kind == tenant.Shared:
		return subject.Post{Kind: r.Kind, Room: r.Shared.Address, Sender: sender}, nil
	}
	return subject.Post{Class: r.Class, Kind: r.Kind, Room: id, Sender: sender}, nil
}

// live is where the room's messages are delivered.
func (r Room) live() (string, error) {
	p, err := r.place(subject.Any)
	if r.Kind == tenant.Shared {
		return p.LiveShared(subject.Any), err
	}
	return p.Live(), err
}

// holds reports whether p is a place in the room.
func (r Room) holds(p subject.Post) bool {
	if p.Room != r.ID || p.Kind != r.Kind || p.Class != r.Class {
		return false
	}
	low, high, pair := r.ID.Pair()
	return !pair || p.Sender == string(low) || p.Sender == string(high) || p.Sender == tenant.System
}
