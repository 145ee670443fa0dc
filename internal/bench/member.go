package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const memberChanges = 200

// member measures how long a change of a membership takes to reach its user: put into a private room he is told
// that he has more rights; taken out, his connection is closed.
func member(ctx context.Context, b *bench) error {
	const u, room = tenant.UserID("moved"), "moved"
	token, err := b.api.user(ctx, tenantID, u)
	if err != nil {
		return err
	}
	if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": room, "kind": "private"}, nil); err != nil {
		return err
	}
	m := mover{b: b, user: u, token: token, member: "/" + tenantID + "/rooms/" + room + "/members/" + string(u)}
	n := b.count(memberChanges)
	var told, closed []time.Duration
	for range n {
		t, err := m.added(ctx)
		if err != nil {
			return fmt.Errorf("added: %w", err)
		}
		c, err := m.removed(ctx)
		if err != nil {
			return fmt.Errorf("removed: %w", err)
		}
		told, closed = append(told, t), append(closed, c)
	}
	fmt.Fprintf(b.out, "\n## Membership\n\nA user is put into a private room and taken out again, %d times, over the HTTP API.\n", n)
	tellTimes(b.out, []times{{"put in: the notice of more rights is there", told}, {"taken out: the connection is closed", closed}})
	return nil
}

// mover changes one membership.
type mover struct {
	b      *bench
	user   tenant.UserID
	token  string
	member string // path
}

// connect waits before, as clients do: what begins within 20 ms of a loss may have been let in on the old rows, and is closed too.
func (m mover) connect(ctx context.Context, closed chan<- time.Time, rights chan<- time.Time) (*nats.Conn, error) {
	if err := pause(ctx, 50*time.Millisecond); err != nil {
		return nil, err
	}
	nc, err := dial(m.b.parley.NATS, m.user, nats.Token(m.token), nats.ClosedHandler(func(*nats.Conn) { closed <- time.Now() }))
	if err != nil {
		return nil, err
	}
	_, err = nc.Subscribe(subject.Notice(m.user, "rights"), func(msg *nats.Msg) {
		if now := time.Now(); carriesRooms(msg.Data) {
			select {
			case rights <- now:
			default: // it is repeated until a connection carries the rights
			}
		}
	})
	return nc, errors.Join(err, nc.FlushTimeout(10*time.Second))
}

func carriesRooms(notice []byte) bool {
	var n struct{ Rooms []string }
	return json.Unmarshal(notice, &n) == nil && len(n.Rooms) > 0
}

// added is from the start of the call until the notice.
func (m mover) added(ctx context.Context) (time.Duration, error) {
	closed, rights := make(chan time.Time, 1), make(chan time.Time, 1)
	nc, err := m.connect(ctx, closed, rights)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	begun := time.Now()
	if err := m.b.api.call(ctx, http.MethodPut, m.member, map[string]string{"role": "member"}, nil); err != nil {
		return 0, err
	}
	return await(ctx, rights, begun)
}

// removed is from the start of the call until the client sees its connection closed.
func (m mover) removed(ctx context.Context) (time.Duration, error) {
	closed := make(chan time.Time, 1)
	nc, err := m.connect(ctx, closed, make(chan time.Time, 1))
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	begun := time.Now()
	if err := m.b.api.call(ctx, http.MethodDelete, m.member, nil, nil); err != nil {
		return 0, err
	}
	return await(ctx, closed, begun)
}

func await(ctx context.Context, at <-chan time.Time, since time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case t := <-at:
		return t.Sub(since), nil
	case <-ctx.Done():
		return 0, errors.New("it did not come")
	}
}
