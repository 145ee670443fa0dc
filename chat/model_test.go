package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"parley/tenant"
)

// A step is what happens next in a program. Its numbers choose among what there is then, so that
// every program means something and shrinks well.
type step struct{ Op, Room, User, Which, More int }

func programs(longest int) *rapid.Generator[[]step] {
	number := rapid.IntRange(0, 1<<16)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Op: rapid.IntRange(0, len(modelOps)-1).Draw(t, "op"), Room: number.Draw(t, "room"), User: number.Draw(t, "user"),
			Which: number.Draw(t, "which"), More: number.Draw(t, "more"),
		}
	}), 3, longest)
}

// modelOps has what happens often more than once.
var modelOps = []func(*model, step){
	(*model).post, (*model).post, (*model).post, (*model).edit, (*model).edit, (*model).remove, (*model).react, (*model).react,
	(*model).read, (*model).standing,
}

// The model is what a reader of the documentation expects.
type model struct {
	*site
	t     rapid.TB
	rooms []*modelRoom
}

type modelRoom struct {
	venue
	messages []*modelMessage
	events   []string // in any place among the messages
	members  map[tenant.UserID]tenant.MemberState
	read     map[tenant.UserID]int // how many messages of the room one has read
}

type modelMessage struct {
	seq, thread uint64
	sender      tenant.UserID
	text        string
	edited      bool
	deleted     bool
	mentions    []tenant.UserID
	reactions   map[string][]tenant.UserID
}

var (
	modelUsers = []tenant.UserID{"alice", "bob", "carol"}
	modelEmoji = []string{"👍", "🎉"}
)

// modelRuns tells the rooms of one program from those of all others, which share the site.
var modelRuns atomic.Int64

func (s *site) model(t rapid.TB) *model {
	run := modelRuns.Add(1)
	m := &model{site: s, t: t}
	for i, kind := range []tenant.Kind{tenant.Open, tenant.Private} {
		r := &modelRoom{
			venue:   s.room(tenant.RoomID(fmt.Sprintf("model%d-%d", run, i)), kind, tenant.Std),
			members: map[tenant.UserID]tenant.MemberState{}, read: map[tenant.UserID]int{},
		}
		if kind == tenant.Private {
			s.member(r.room, "alice", tenant.RoleModerator, tenant.Joined)
			s.member(r.room, "bob", tenant.RoleMember, tenant.Joined)
			r.members["alice"], r.members["bob"] = tenant.Joined, tenant.Joined
		}
		m.rooms = append(m.rooms, r)
	}
	return m
}

func (m *model) run(p []step) {
	for _, s := range p {
		modelOps[s.Op](m, s)
	}
	m.check()
}

func (m *model) who(s step) (*modelRoom, tenant.UserID) {
	return m.rooms[s.Room%len(m.rooms)], modelUsers[s.User%len(modelUsers)]
}

// reads reports whether a user may read the room.
func (r *modelRoom) reads(u tenant.UserID) bool {
	if r.kind == tenant.Open {
		return r.members[u] != tenant.Banned
	}
	return r.members[u] == tenant.Joined
}

// pick is a message of the room, or none.
func (r *modelRoom) pick(n int) *modelMessage {
	if len(r.messages) == 0 {
		return nil
	}
	return r.messages[n%len(r.messages)]
}

func (m *model) post(s step) {
	r, u := m.who(s)
	if !r.reads(u) {
		return // NATS would not let him
	}
	msg := &modelMessage{sender: u, text: fmt.Sprintf("text %d", s.More), reactions: map[string][]tenant.UserID{}}
	refused := false
	if root := r.pick(s.Which); root != nil && s.More%3 == 0 {
		msg.thread, refused = root.seq, root.thread > 0
	}
	b := body{Text: msg.text, Thread: msg.thread}
	if s.More%4 == 0 {
		b.Mentions = []string{"alice", "bob", "rex", "carol"}
		msg.mentions = slices.DeleteFunc(slices.Clone(modelUsers), func(u tenant.UserID) bool { return !r.reads(u) })
	}
	data, err := json.Marshal(b)
	if err != nil {
		m.t.Fatal(err)
	}
	msg.seq = m.store(r.by(string(u)).Stored(m.tenant.Account), string(data), nats.Header{nats.MsgIdHdr: {m.newID()}}).Seq
	if refused {
		return
	}
	r.messages = append(r.messages, msg)
	r.read[u] = len(r.messages)
	if r.kind == tenant.Open {
		r.members[u] = tenant.Joined
	}
}

func (m *model) edit(s step) {
	r, u := m.who(s)
	msg := r.pick(s.Which)
	if msg == nil {
		return
	}
	text := fmt.Sprintf("edit %d", s.More%5)
	var want tenant.Code
	switch {
	case !r.reads(u):
		want = tenant.CodeNotFound
	case msg.sender != u:
		want = tenant.CodeForbidden
	case msg.deleted:
		want = tenant.CodeInvalid
	case msg.text != text:
		msg.text, msg.edited = text, true
		r.events = append(r.events, fmt.Sprintf("edited %d", msg.seq))
	}
	m.asks(u, "edit", want, map[string]any{"room": r.room, "seq": msg.seq, "text": text})
}

func (m *model) remove(s step) {
	r, u := m.who(s)
	msg := r.pick(s.Which)
	if msg == nil {
		return
	}
	var want tenant.Code
	switch {
	case !r.reads(u):
		want = tenant.CodeNotFound
	case msg.sender != u && (r.kind == tenant.Open || u != "alice"):
		want = tenant.CodeForbidden
	case !msg.deleted:
		*msg = modelMessage{seq: msg.seq, thread: msg.thread, sender: msg.sender, deleted: true}
		r.events = append(r.events, fmt.Sprintf("deleted %d", msg.seq))
	}
	m.asks(u, "delete", want, map[string]any{"room": r.room, "seq": msg.seq})
}

func (m *model) react(s step) {
	r, u := m.who(s)
	msg := r.pick(s.Which)
	if msg == nil {
		return
	}
	emoji, off := modelEmoji[s.More%len(modelEmoji)], s.More%3 == 0
	at := slices.Index(msg.reactions[emoji], u)
	var want tenant.Code
	switch {
	case !r.reads(u):
		want = tenant.CodeNotFound
	case msg.deleted:
		want = tenant.CodeInvalid
	case off == (at < 0): // it is so already
	case off:
		if msg.reactions[emoji] = slices.Delete(msg.reactions[emoji], at, at+1); len(msg.reactions[emoji]) == 0 {
			delete(msg.reactions, emoji)
		}
		r.events = append(r.events, fmt.Sprintf("reaction %d", msg.seq))
	default:
		msg.reactions[emoji] = append(msg.reactions[emoji], u)
		r.events = append(r.events, fmt.Sprintf("reaction %d", msg.seq))
	}
	m.asks(u, "react", want, map[string]any{"room": r.room, "seq": msg.seq, "emoji": emoji, "remove": off})
}

func (m *model) read(s step) {
	r, u := m.who(s)
	if len(r.messages) == 0 {
		return
	}
	n := s.Which % len(r.messages)
	seq := r.messages[n].seq
	if n == len(r.messages)-1 && s.More%2 == 0 {
		seq += 1000 // the future counts as the newest
	}
	var want tenant.Code
	if r.reads(u) {
		r.read[u] = max(r.read[u], n+1)
	} else {
		want = tenant.CodeNotFound
	}
	m.asks(u, "read", want, map[string]any{"room": r.room, "seq": seq})
}

// standing lets a user in or out, as the service does, when everything before it has taken effect.
func (m *model) standing(s step) {
	r, u := m.who(s)
	m.history(r)
	m.patient(func(ctx context.Context) error {
		_, err := m.pool.Exec(ctx, `DELETE FROM members m USING rooms r WHERE m.room_pk = r.room_pk AND r.room_id = $1 AND m.user_id = $2`, r.room, u)
		return err
	})
	delete(r.members, u)
	if state := []tenant.MemberState{"", tenant.Joined, tenant.Banned}[s.More%3]; state != "" {
		r.members[u] = state
		role := tenant.RoleMember
		if r.kind == tenant.Private && u == "alice" {
			role = tenant.RoleModerator
		}
		m.patient(func(ctx context.Context) error {
			_, err := m.pool.Exec(ctx, `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
				SELECT room_pk, 'acme', $2, $3, $4, now() FROM rooms WHERE room_id = $1`, r.room, u, role, state)
			return err
		})
	}
}

// patient repeats what Postgres cut off.
func (m *model) patient(fn func(context.Context) error) {
	m.eventually("Postgres answers", func() bool { return fn(m.brief()) == nil })
}

// asks carries out an operation, again while the service can't.
func (m *model) asks(u tenant.UserID, op string, want tenant.Code, request map[string]any) {
	data, err := json.Marshal(request)
	if err != nil {
		m.t.Fatal(err)
	}
	m.eventually(op+" is answered", func() bool {
		answer, err := m.conn.RequestWithContext(m.ctx(), "t."+m.tenant.Account+".api."+string(u)+"."+op, data)
		if errors.Is(err, nats.ErrNoResponders) {
			return false
		}
		var got struct {
			Code tenant.Code `json:"code"`
		}
		if err != nil || json.Unmarshal(answer.Data, &got) != nil {
			m.t.Fatalf("%s %s by %s: got %v, %v", op, data, u, answer, err)
		}
		if got.Code == tenant.CodeUnavailable {
			return false
		}
		if got.Code != want {
			m.t.Fatalf("%s %s by %s: got %s, want code %q", op, data, u, answer.Data, want)
		}
		return true
	})
}

func (m *model) history(r *modelRoom) (page tenant.HistoryPage) {
	m.eventually("history is read", func() bool {
		var err error
		page, err = m.chat.History(m.ctx(), "acme", r.room, tenant.HistoryQuery{Limit: tenant.MaxHistory})
		if err != nil && codeOf(err) != tenant.CodeUnavailable {
			m.t.Fatalf("History of %s: %v", r.room, err)
		}
		return err == nil
	})
	return page
}

// check compares what can be read with the model.
func (m *model) check() {
	for _, r := range m.rooms {
		var events []string
		n := 0
		for _, got := range m.history(r).Messages {
			if got.Sender == tenant.System {
				var e tenant.Event
				if err := json.Unmarshal(got.Event, &e); err != nil {
					m.t.Fatal(err)
				}
				events = append(events, fmt.Sprintf("%s %d", e.Event, e.Seq))
				continue
			}
			if n == len(r.messages) {
				m.t.Fatalf("room %s: got one message more, %+v", r.room, got)
			}
			want := r.messages[n]
			n++
			replies := 0
			for _, w := range r.messages {
				if w.thread == want.seq && !w.deleted {
					replies++
				}
			}
			if got.Seq != want.seq || got.N != int64(n) || got.Sender != string(want.sender) || got.Text != want.text || got.Thread != want.thread ||
				got.Replies != replies || got.Edited.IsZero() == want.edited || got.Deleted.IsZero() == want.deleted ||
				!slices.Equal(got.Mentions, want.mentions) || !maps.EqualFunc(got.Reactions, want.reactions, slices.Equal) {
				m.t.Fatalf("room %s: got %+v, want %+v with %d replies", r.room, got, want, replies)
			}
		}
		if n < len(r.messages) {
			m.t.Fatalf("room %s: got %d messages, want %d", r.room, n, len(r.messages))
		}
		if !slices.Equal(events, r.events) {
			m.t.Fatalf("room %s: got the events %q, want %q", r.room, events, r.events)
		}
		for _, u := range modelUsers {
			m.checkUnread(r, u)
		}
	}
}

func (m *model) checkUnread(r *modelRoom, u tenant.UserID) {
	var want roomView
	for i, msg := range r.messages {
		want.Last = msg.seq
		switch {
		case i < r.read[u]:
			want.Read = msg.seq
		case !msg.deleted:
			want.Unread++
			if want.First == 0 {
				want.First = msg.seq
			}
			if msg.sender != u && slices.Contains(msg.mentions, u) {
				want.Mentions++
			}
		}
	}
	var got roomView
	m.patient(func(ctx context.Context) (err error) {
		room, err := m.chat.room(ctx, "acme", r.room, u)
		if err == nil {
			got, err = m.chat.unreadRoom(ctx, caller{tenant: "acme", user: u}, room)
		}
		return err
	})
	if got.Unread != want.Unread || got.Mentions != want.Mentions || got.Last != want.Last || got.Read != want.Read || got.First != want.First {
		m.t.Fatalf("%s in %s: got unread %d, mentions %d, last %d, read %d, first %d, want %d, %d, %d, %d, %d", u, r.room,
			got.Unread, got.Mentions, got.Last, got.Read, got.First, want.Unread, want.Mentions, want.Last, want.Read, want.First)
	}
}

func TestRoomsFollowTheModel(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(s.chat)
	t.Run("programs", func(t *testing.T) {
		for i := range modelChecks {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) { s.model(t).run(programs(modelSteps).Draw(t, "program")) })
			})
		}
	})
}

// The chat role or Postgres is killed in the middle of each program, and comes back while it goes on.
func TestRoomsFollowTheModelThroughKills(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stop := s.run(s.chat)
	for i := range modelKills {
		p := programs(2 * modelSteps).Example(i)
		m := s.model(t)
		for at, step := range p {
			if at == len(p)/2 {
				if i%2 == 0 {
					stop()
					s.chat = s.newChat(s.connect(), s.pool)
					stop = s.run(s.chat)
				} else {
					s.killPostgres()
				}
			}
			modelOps[step.Op](m, step)
		}
		m.check()
		if t.Failed() {
			t.Fatalf("program %d: %+v", i, p)
		}
	}
}

// killPostgres ends all its sessions in the middle of what they do, as a crash does.
func (s *site) killPostgres() {
	unblock := s.block()
	time.AfterFunc(50*time.Millisecond, unblock)
	s.eventually("Postgres is back", func() bool {
		s.pool.Reset()
		return s.pool.Ping(s.brief()) == nil
	})
}
