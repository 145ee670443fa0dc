package chat

import (
	"context"
	"fmt"
	"strconv"

	"parley/tenant"
)

type historyRequest struct {
	Room   string `json:"room"`
	Before uint64 `json:"before"`
	After  uint64 `json:"after"`
	Since  string `json:"since"`
	Until  string `json:"until"`
	Limit  int    `json:"limit"`
	Thread uint64 `json:"thread"`
}

func (c *Chat) opHistory(ctx context.Context, who caller, r historyRequest) (any, error) {
	q := tenant.HistoryQuery{Before: r.Before, After: r.After, Thread: r.Thread, Limit: r.Limit}
	var err error
	if q.Since, err = parseTime("since", r.Since); err != nil {
		return nil, err
	}
	if q.Until, err = parseTime("until", r.Until); err != nil {
		return nil, err
	}
	if err = q.Check(); err != nil {
		return nil, err
	}
	room, err := c.readable(ctx, who.tenant, r.Room, who.user)
	if err != nil {
		return nil, err
	}
	rows, err := c.historyRows(ctx, room, q)
	if err != nil {
		return nil, err
	}
	var p page
	if err = p.read(rows, &room, q.Limit, int(c.conn.MaxPayload())-envelope); err != nil {
		return nil, fmt.Errorf("read room %s: %w", room.id, fromDB(err))
	}
	if len(p.ends) == 0 && p.more {
		return nil, errAnswerTooLarge
	}
	answer := p.appendTo([]byte(`{"ok":true,"messages":`), q.After == 0)
	return encoded(appendMore(answer, p.more)), nil
}

// appendMore ends the object of a page.
func appendMore(dst []byte, more bool) []byte {
	return append(strconv.AppendBool(append(dst, `,"more":`...), more), '}')
}

type readRequest struct {
	Room string `json:"room"`
	Seq  uint64 `json:"seq"`
}

type readAnswer struct {
	okay
	Unread int64  `json:"unread"`
	Read   uint64 `json:"read"` // where the position is now
}

func (c *Chat) opRead(ctx context.Context, who caller, q readRequest) (any, error) {
	if q.Seq == 0 || q.Seq > maxSequence {
		return nil, tenant.Invalid("seq", "must be the sequence of a message")
	}
	room, err := c.readable(ctx, who.tenant, q.Room, who.user)
	if err != nil {
		return nil, err
	}
	// Else a position in what was just delivered would be clamped to what is projected.
	if err = c.caughtUp(ctx, room.stream); err != nil {
		return nil, err
	}
	moved, err := c.read(ctx, who, room, q.Seq)
	if err != nil {
		return nil, err
	}
	v, err := c.unreadRoom(ctx, who, room)
	if err != nil {
		return nil, err
	}
	if moved {
		c.notify(who.account, who.user, "unread", unreadNotice{Room: room.id, Unread: v.Unread, Mentions: v.Mentions, Last: v.Last, Read: v.Read})
		c.receipts.add(who, room, v.Read)
	}
	return readAnswer{okay: yes, Unread: v.Unread, Read: v.Read}, nil
}

type unreadRequest struct {
	Room string `json:"room"`
}

type unreadAnswer struct {
	okay
	Unread int64      `json:"unread"` // of all rooms listed
	Rooms  []roomView `json:"rooms"`  // without kind, class and title
}

func (c *Chat) opUnread(ctx context.Context, who caller, q unreadRequest) (any, error) {
	var rooms []roomView
	if q.Room == "" {
		if err := c.allCaughtUp(ctx, who.tenant); err != nil {
			return nil, err
		}
		all, err := c.unreadRooms(ctx, who)
		if err != nil {
			return nil, err
		}
		rooms = all
	} else {
		room, err := c.readable(ctx, who.tenant, q.Room, who.user)
		if err != nil {
			return nil, err
		}
		if err = c.caughtUp(ctx, room.stream); err != nil {
			return nil, err
		}
		one, err := c.unreadRoom(ctx, who, room)
		if err != nil {
			return nil, err
		}
		rooms = []roomView{one}
	}
	answer := unreadAnswer{okay: yes, Rooms: []roomView{}}
	for _, v := range rooms {
		answer.Unread += v.Unread
		answer.Rooms = append(answer.Rooms, roomView{ID: v.ID, Unread: v.Unread, Mentions: v.Mentions, Last: v.Last, Read: v.Read, First: v.First})
	}
	return answer, nil
}
