package chattest

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant/subject"

	"parley/tenant"
)

// AddRoom adds a room, or replaces the one of that id.
func (s *Server) AddRoom(r Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms = slices.DeleteFunc(s.rooms, func(o *Room) bool { return o.ID == r.ID })
	s.rooms = append(s.rooms, &r)
}

// Refuse lets a user in no more, or again.
func (s *Server) Refuse(user string, no bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[user] = no
}

// Alias lets a user in by another token than his id; "" refuses that token.
func (s *Server) Alias(token, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alias[token] = user
}

// Hook is asked before the fake service answers; what it returns is the answer, nil leaves it to the fake.
func (s *Server) Hook(fn func(op, user string) map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = fn
}

// Kick closes the connections of a user.
func (s *Server) Kick(user string) {
	s.t.Helper()
	conns, err := s.ns.Connz(nil)
	s.must(err)
	for _, c := range conns.Conns {
		if c.Name == user {
			s.must(s.ns.DisconnectClientByID(c.Cid))
		}
	}
}

// Logins are the tokens that a user connected with so far, refused ones too.
func (s *Server) Logins(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins[user])
}

// Say posts as a user and returns the sequence.
func (s *Server) Say(room, user, text string) uint64 {
	s.t.Helper()
	body, err := json.Marshal(map[string]string{"text": text})
	s.must(err)
	return s.Store(room, user, body, nil)
}

// Store posts any body, with any headers, as anybody; tenant.System among them.
func (s *Server) Store(room, user string, body []byte, h nats.Header) uint64 {
	s.t.Helper()
	s.mu.Lock()
	r := s.room(room)
	s.mu.Unlock()
	if r == nil {
		s.t.Fatalf("chattest: no room %q", room)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m := &nats.Msg{Subject: r.place(user).Chat(), Data: body, Header: h}
	ack, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(20), jetstream.WithRetryWait(50*time.Millisecond))
	s.must(err)
	return ack.Sequence
}

// Publish sends anything anywhere, as nobody else in the tenant could.
func (s *Server) Publish(m *nats.Msg) {
	s.t.Helper()
	s.must(s.nc.PublishMsg(m))
	s.must(s.nc.Flush())
}

// Notify sends a notice to a user.
func (s *Server) Notify(user, what string, notice any) {
	s.t.Helper()
	body, err := json.Marshal(notice)
	s.must(err)
	s.Publish(&nats.Msg{Subject: subject.Notice(tenant.UserID(user), what), Data: body})
}

// Freeze maps the posting subject of a room away, as the tenant's claims do.
func (s *Server) Freeze(room string) {
	s.t.Helper()
	s.mu.Lock()
	from := s.room(room).place("*").Chat()
	s.mu.Unlock()
	s.must(s.ns.GlobalAccount().AddMapping(from, "void.frozen"))
}

// Limit bounds the stream to what it holds now, so that the next post finds it full.
func (s *Server) Limit() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	st, err := s.js.Stream(ctx, streamName)
	s.must(err)
	c := st.CachedInfo().Config
	c.Discard, c.MaxMsgs = jetstream.DiscardNew, int64(max(1, st.CachedInfo().State.Msgs)) //nolint:gosec // G115: a test stores few messages
	_, err = s.js.UpdateStream(ctx, c)
	s.must(err)
}

// Stored is how many messages the stream holds.
func (s *Server) Stored() uint64 {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	st, err := s.js.Stream(ctx, streamName)
	s.must(err)
	return st.CachedInfo().State.Msgs
}

// ReadPosition is how far a user has read a room.
func (s *Server) ReadPosition(room, user string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read[room+"/"+user]
}
