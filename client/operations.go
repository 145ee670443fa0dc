package client

import (
	"context"
	"encoding/json"

	"parley/tenant"
)

// Me is the user as the service knows him.
type Me struct {
	User   string `json:"user"`
	Tenant string `json:"tenant"`
	Name   string `json:"name"` // may be empty
}

// A Member is a user's standing in a room.
type Member struct {
	User string      `json:"user"`
	Name string      `json:"name"`
	Role tenant.Role `json:"role"`
	Read uint64      `json:"read"` // up to this sequence; in rooms of up to 100 members
}

type roomBody struct {
	Room tenant.RoomID `json:"room"`
}

// WhoAmI asks the service who this connection is.
func (c *Client) WhoAmI(ctx context.Context) (Me, error) {
	var me Me
	return me, c.call(ctx, "whoami", struct{}{}, &me)
}

// maxRoomPages bounds Rooms where a service would page for ever.
const maxRoomPages = 1000

// Rooms lists the user's rooms; with a query (part of an id or title) those that
// match, also open ones that he could join.
func (c *Client) Rooms(ctx context.Context, query string) ([]Room, error) {
	var all []Room
	seen := map[tenant.RoomID]bool{}
	body := struct {
		Query string        `json:"query,omitempty"`
		After tenant.RoomID `json:"after,omitempty"`
	}{Query: query}
	for range maxRoomPages {
		var page struct {
			Rooms []json.RawMessage `json:"rooms"`
		}
		if err := c.call(ctx, "rooms", body, &page); err != nil {
			return nil, err
		}
		more := false
		for _, raw := range page.Rooms {
			var r Room
			if json.Unmarshal(raw, &r) != nil || seen[r.ID] {
				continue // of a kind that a newer service has
			}
			seen[r.ID], more, body.After = true, true, r.ID
			all = append(all, r)
		}
		if !more {
			break
		}
	}
	return all, nil
}

// Room finds a room by its id: one of the user's, or an open one. Else it is not_found.
func (c *Client) Room(ctx context.Context, id string) (Room, error) {
	rooms, err := c.Rooms(ctx, id)
	if err != nil {
		return Room{}, err
	}
	for _, r := range rooms {
		if string(r.ID) == id {
			return r, nil
		}
	}
	return Room{}, newError(tenant.CodeNotFound, nil, "there is no room %q that you are in or could join", id)
}

// Join makes the user a member of a room, or accepts an invitation to it. It returns
// when the connection carries the rights.
func (c *Client) Join(ctx context.Context, id string) (Room, error) {
	return c.enterListed(ctx, "join", roomBody{tenant.RoomID(id)}, id)
}

// enterListed is enter for rooms that a connection may have to list.
func (c *Client) enterListed(ctx context.Context, op string, body any, id string) (Room, error) {
	if _, err := tenant.ParseRoomID("room", id); err != nil {
		return Room{}, newError(tenant.CodeInvalid, err, "%q is no id of a room", id)
	}
	r, err := c.enter(ctx, op, body, id)
	// Open rooms need no new connection, but for a user who was kept out of one.
	if err != nil || r.Kind != tenant.Private && r.Kind != tenant.Shared && !c.rooms.holds(id) {
		return r, err
	}
	next := c.untilReconnection()
	c.rooms.add([]string{id}, c.listening())
	c.restart()
	return r, c.waitFor(ctx, next)
}

// Direct returns the 1:1 room with another user, and makes it at the first call.
func (c *Client) Direct(ctx context.Context, user string) (Room, error) {
	id, err := tenant.DirectRoomID(c.user, tenant.UserID(user))
	if err != nil || !tenant.ValidID(user) {
		return Room{}, newError(tenant.CodeInvalid, err, "%q is no other user's id", user)
	}
	return c.enter(ctx, "direct", struct {
		User string `json:"user"`
	}{user}, string(id))
}

// enter runs an operation after which the user is in a room, and reads the room as it is for him then.
func (c *Client) enter(ctx context.Context, op string, body any, id string) (Room, error) {
	repeated, err := c.repeat(ctx, op, body, nil)
	// New rights cut the connection, perhaps before the answer: what was made then is there already.
	made := repeated && isCode(err, tenant.CodeConflict)
	if err != nil && !made {
		return Room{}, err
	}
	r, errRoom := c.Room(ctx, id)
	if made && r.Role != tenant.RoleOwner {
		return Room{}, err
	}
	return r, errRoom
}

// Leave ends the user's membership of a room.
func (c *Client) Leave(ctx context.Context, r Room) error {
	return c.call(ctx, "leave", roomBody{r.ID}, nil)
}

// Members lists who is in a room.
func (c *Client) Members(ctx context.Context, r Room) ([]Member, error) {
	var answer struct {
		Members []Member `json:"members"`
	}
	err := c.call(ctx, "members", roomBody{r.ID}, &answer)
	return answer.Members, err
}

// Read marks the room's messages up to a sequence as read, and returns how many are
// unread then. It never moves back.
func (c *Client) Read(ctx context.Context, r Room, seq uint64) (unread int64, err error) {
	var answer struct {
		Unread int64 `json:"unread"`
	}
	err = c.call(ctx, "read", struct {
		roomBody
		Seq uint64 `json:"seq"`
	}{roomBody{r.ID}, seq}, &answer)
	return answer.Unread, err
}

// Unread is how many messages the user has not read in all his rooms.
func (c *Client) Unread(ctx context.Context) (int64, error) {
	return c.unread(ctx, struct{}{})
}

// UnreadIn is how many messages of a room the user has not read.
func (c *Client) UnreadIn(ctx context.Context, r Room) (int64, error) {
	return c.unread(ctx, roomBody{r.ID})
}

func (c *Client) unread(ctx context.Context, body any) (int64, error) {
	var answer struct {
		Unread int64 `json:"unread"`
	}
	err := c.call(ctx, "unread", body, &answer)
	return answer.Unread, err
}
