package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	backRooms  = 10
	backMissed = 200 // messages in each
	backARound = 20
	listRooms  = 100
	listUnread = 10 // messages in each
)

// back measures what users do who come back: they read what they missed, in a tenant of few rooms and in one of
// many, and list their rooms with what is unread.
func back(ctx context.Context, b *bench) error {
	few, err := b.absent(ctx, "few", backRooms, backRooms, backMissed)
	if err != nil {
		return err
	}
	many, err := b.absent(ctx, "many", b.count(1000), backRooms, backMissed)
	if err != nil {
		return err
	}
	lister, err := b.absent(ctx, "lists", listRooms, listRooms, listUnread)
	if err != nil {
		return err
	}
	n := b.count(backARound)
	reads, err := interleave(ctx, b.rounds(), []variant{
		{fmt.Sprint("tenant of ", few.tenantRooms, " rooms"), b.parley, n, repeated(n, few.read)},
		{fmt.Sprint("tenant of ", many.tenantRooms, " rooms"), b.parley, n, repeated(n, many.read)},
		{fmt.Sprint("tenant of ", many.tenantRooms, " rooms, a request for each"), b.parley, n, repeated(n, many.readEach)},
		{fmt.Sprint("tenant of ", many.tenantRooms, " rooms, with the connect"), b.parley, n, repeated(n, many.comeBack)},
	})
	if err != nil {
		return err
	}
	lists, err := interleave(ctx, b.rounds(), []variant{
		{fmt.Sprint(listRooms, " rooms with unread counts"), b.parley, n, repeated(n, lister.list)},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n## Coming back\n\n%d times in each of %d rounds: a user reads %d rooms with %d missed messages each.\n",
		n, b.rounds(), backRooms, backMissed)
	tell(b.out, "return", reads)
	tell(b.out, "list", lists)
	return nil
}

// absentee is a user of a tenant, with something unread in rooms that he has joined.
type absentee struct {
	url, token  string
	conn        *nats.Conn
	tenantRooms int
	rooms       []tenant.RoomID // his
	missed      int             // messages in each
	after       map[tenant.RoomID]uint64
}

const (
	absent = tenant.UserID("absent")
	busy   = tenant.UserID("busy")
)

// absent makes a tenant of rooms, and a user who has joined some of them before another posted there.
func (b *bench) absent(ctx context.Context, of tenant.TenantID, rooms, his, missed int) (*absentee, error) {
	if err := b.api.call(ctx, http.MethodPost, "", map[string]any{"id": of, "limits": roomy}, nil); err != nil {
		return nil, err
	}
	token, err := b.api.user(ctx, of, absent)
	if err != nil {
		return nil, err
	}
	poster, err := b.api.user(ctx, of, busy)
	if err != nil {
		return nil, err
	}
	a := &absentee{url: b.parley.NATS, token: token, tenantRooms: rooms, missed: missed, after: map[tenant.RoomID]uint64{}}
	if err := parallel(rooms, func(i int) error {
		return b.api.call(ctx, http.MethodPost, "/"+string(of)+"/rooms", map[string]any{"id": absentRoom(i), "kind": "open"}, nil)
	}); err != nil {
		return nil, err
	}
	if a.conn, err = dial(a.url, absent, nats.Token(token)); err != nil {
		return nil, err
	}
	from, err := dial(a.url, busy, nats.Token(poster))
	if err != nil {
		return nil, err
	}
	defer from.Close()
	if err := a.join(ctx, his); err != nil {
		return nil, err
	}
	if err := parallel(his, func(i int) error { return postMany(ctx, from, absentRoom(i), missed) }); err != nil {
		return nil, err
	}
	return a, b.api.projected(ctx, string(of)+"/rooms/"+string(absentRoom(0)))
}

func absentRoom(i int) tenant.RoomID { return tenant.RoomID(fmt.Sprintf("r%04d", i)) }

func (a *absentee) join(ctx context.Context, n int) error {
	for i := range n {
		room := absentRoom(i)
		var joined struct {
			Room struct {
				Last uint64 `json:"last"`
			} `json:"room"`
		}
		if err := a.ask(ctx, "join", map[string]any{"room": room}, &joined); err != nil {
			return err
		}
		a.rooms = append(a.rooms, room)
		a.after[room] = joined.Room.Last
	}
	return nil
}

func postMany(ctx context.Context, nc *nats.Conn, in tenant.RoomID, n int) error {
	p := room(busy)
	p.Room = in
	for range n {
		if err := post(ctx, nc, p); err != nil {
			return err
		}
	}
	return nil
}

// ask calls the chat API as the user does.
func (a *absentee) ask(ctx context.Context, op string, request, into any) error {
	return ask(ctx, a.conn, op, request, into)
}

func ask(ctx context.Context, nc *nats.Conn, op string, request, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	m, err := nc.RequestWithContext(ctx, subject.API(absent, op), text)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if !bytes.HasPrefix(m.Data, []byte(`{"ok":true`)) {
		return fmt.Errorf("%s: %s", op, m.Data)
	}
	if err := json.Unmarshal(m.Data, into); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// read reads what the user missed in all his rooms, as the SDKs do when they are back.
func (a *absentee) read(ctx context.Context) error { return a.readOver(ctx, a.conn) }

// A missedPage is what the benchmark reads of a room's page.
type missedPage struct {
	Room     tenant.RoomID `json:"room"`
	Messages []struct {
		N    int64  `json:"n"`
		Text string `json:"text"`
	} `json:"messages"`
}

func (a *absentee) readOver(ctx context.Context, nc *nats.Conn) error {
	type place struct {
		Room  tenant.RoomID `json:"room"`
		After uint64        `json:"after"`
	}
	var places []place
	for _, room := range a.rooms {
		places = append(places, place{room, a.after[room]})
	}
	var answer struct {
		Rooms []missedPage `json:"rooms"`
	}
	if err := ask(ctx, nc, "missed", map[string]any{"rooms": places, "limit": a.missed + 10}, &answer); err != nil {
		return err
	}
	if len(answer.Rooms) != len(a.rooms) {
		return fmt.Errorf("got %d rooms, want %d", len(answer.Rooms), len(a.rooms))
	}
	for _, page := range answer.Rooms {
		if err := a.check(page); err != nil {
			return err
		}
	}
	return nil
}

// readEach is read with a request for each room.
func (a *absentee) readEach(ctx context.Context) error {
	for _, room := range a.rooms {
		page := missedPage{Room: room}
		if err := a.ask(ctx, "history", map[string]any{"room": room, "after": a.after[room], "limit": a.missed + 10}, &page); err != nil {
			return err
		}
		if err := a.check(page); err != nil {
			return err
		}
	}
	return nil
}

func (a *absentee) check(page missedPage) error {
	texts := 0
	for _, m := range page.Messages {
		if m.N > 0 { // else an event
			texts++
		}
	}
	if texts != a.missed {
		return fmt.Errorf("room %s: got %d messages, want %d", page.Room, texts, a.missed)
	}
	return nil
}

func (a *absentee) comeBack(ctx context.Context) error {
	nc, err := dial(a.url, absent, nats.Token(a.token))
	if err != nil {
		return err
	}
	defer nc.Close()
	return a.readOver(ctx, nc)
}

func (a *absentee) list(ctx context.Context) error {
	var answer struct {
		Rooms []struct {
			Unread int `json:"unread"`
		} `json:"rooms"`
	}
	if err := a.ask(ctx, "rooms", map[string]any{"limit": len(a.rooms)}, &answer); err != nil {
		return err
	}
	for _, r := range answer.Rooms {
		if r.Unread != a.missed {
			return fmt.Errorf("a room has %d unread, want %d", r.Unread, a.missed)
		}
	}
	if len(answer.Rooms) != len(a.rooms) {
		return fmt.Errorf("got %d rooms, want %d", len(answer.Rooms), len(a.rooms))
	}
	return nil
}

// repeated does something n times, one after the other.
func repeated(n int, do func(context.Context) error) func(context.Context) (outcome, error) {
	return func(ctx context.Context) (o outcome, err error) {
		begun := time.Now()
		for range n {
			start := time.Now()
			if err := do(ctx); err != nil {
				return o, err
			}
			o.each = append(o.each, time.Since(start))
		}
		o.wall = time.Since(begun)
		return o, nil
	}
}
