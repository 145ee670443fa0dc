package chattest

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

// entry is a message as the history tells it.
type entry struct {
	room string
	json map[string]any
	seq  uint64
}

type request struct {
	Room, User         string
	Seq, Before, After uint64
	Limit              int
}

type missedRequest struct {
	Rooms []request
	Limit int
}

type roomsRequest struct {
	Query, After string
	Limit        int
}

// decode is as strict as the service.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func (s *Server) serve(m *nats.Msg) {
	parts := strings.Split(m.Subject, ".")
	user, op := parts[2], parts[3]
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	var answer map[string]any
	if hook != nil {
		answer = hook(op, user)
	}
	if answer == nil {
		answer = s.answer(op, user, m.Data)
	}
	if _, given := answer["ok"]; !given {
		answer["ok"] = true
	}
	raw, err := json.Marshal(answer)
	if err == nil {
		_ = m.Respond(raw)
	}
}

func (s *Server) answer(op, user string, body []byte) map[string]any {
	var q request
	var list roomsRequest
	var places missedRequest
	var into any = &q
	switch op {
	case "rooms":
		into = &list
	case "missed":
		into = &places
	}
	if err := decode(body, into); err != nil {
		return refuse(tenant.CodeInvalid, err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case "whoami":
		return map[string]any{"user": user, "tenant": "acme", "name": strings.ToUpper(user[:1]) + user[1:]}
	case "rooms":
		return map[string]any{"rooms": s.roomsOf(user, list.Query, list.After)}
	case "missed":
		return s.missed(user, places)
	case "direct":
		id, err := tenant.DirectRoomID(tenant.UserID(user), tenant.UserID(q.User))
		if err != nil {
			return refuse(tenant.CodeInvalid, err.Error())
		}
		if s.room(string(id)) == nil {
			s.rooms = append(s.rooms, &Room{ID: string(id), Kind: tenant.Direct, Members: []string{user, q.User}})
		}
		return map[string]any{"room": s.room(string(id)).json()}
	case "unread":
		var n int64
		for _, r := range s.rooms {
			n += s.unread(r, user)
		}
		return map[string]any{"unread": n}
	}
	r := s.room(q.Room)
	if r == nil {
		return refuse(tenant.CodeNotFound, "no such room")
	}
	if op == "join" {
		if r.Kind == tenant.Private && !slices.Contains(r.Members, user) {
			return refuse(tenant.CodeNotFound, "no such room")
		}
		if !slices.Contains(r.Members, user) {
			r.Members = append(r.Members, user)
		}
		return map[string]any{"room": r.json()}
	}
	if !r.has(user) {
		return refuse(tenant.CodeNotFound, "no such room")
	}
	return s.answerInRoom(op, user, r, q)
}

func (s *Server) answerInRoom(op, user string, r *Room, q request) map[string]any {
	switch op {
	case "leave":
		r.Members = slices.DeleteFunc(r.Members, func(m string) bool { return m == user })
		return map[string]any{}
	case "members":
		var all []map[string]any
		for _, m := range r.Members {
			all = append(all, map[string]any{"user": m, "name": "", "role": "member"})
		}
		return map[string]any{"members": all}
	case "read":
		key := r.ID + "/" + user
		s.read[key] = max(s.read[key], q.Seq)
		return map[string]any{"unread": s.unread(r, user)}
	case "history":
		return s.history(r, q)
	}
	return refuse(tenant.CodeInvalid, "no such operation")
}

func refuse(code tenant.Code, message string) map[string]any {
	return map[string]any{"ok": false, "code": code, "message": message}
}

func (s *Server) roomsOf(user, query, after string) []any {
	all := []any{}
	slices.SortFunc(s.rooms, func(a, b *Room) int { return strings.Compare(a.ID, b.ID) })
	for _, r := range s.rooms {
		mine := slices.Contains(r.Members, user) || query != "" && r.has(user)
		if mine && r.ID > after && (strings.Contains(r.ID, query) || strings.Contains(r.Title, query)) {
			all = append(all, s.roomJSON(r, user))
		}
	}
	return all
}

// json is the room as it is for everybody.
func (r *Room) json() map[string]any {
	return map[string]any{"id": r.ID, "kind": r.Kind, "class": "std", "title": r.Title, "state": "active", "members": len(r.Members)}
}

func (s *Server) roomJSON(r *Room, user string) map[string]any {
	_ = s.follow() // without it the room is as it was read last
	var last uint64
	for _, e := range s.log {
		if e.room == r.ID {
			last = e.seq
		}
	}
	return map[string]any{
		"id": r.ID, "kind": r.Kind, "class": "std", "title": r.Title, "role": "member",
		"unread": s.unread(r, user), "mentions": 0, "last": last, "read": s.read[r.ID+"/"+user],
	}
}

func (s *Server) unread(r *Room, user string) int64 {
	_ = s.follow() // as in roomJSON
	var n int64
	for _, e := range s.log {
		if e.room == r.ID && e.seq > s.read[r.ID+"/"+user] && e.json["sender"] != user && e.json["sender"] != tenant.System {
			n++
		}
	}
	return n
}

func (s *Server) history(r *Room, q request) map[string]any {
	if err := s.follow(); err != nil {
		return refuse(tenant.CodeUnavailable, err.Error())
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	found := []map[string]any{}
	for _, e := range s.log {
		if e.room == r.ID && (q.Before == 0 || e.seq < q.Before) && e.seq > q.After {
			found = append(found, e.json)
		}
	}
	more := len(found) > q.Limit
	if more && q.After > 0 {
		found = found[:q.Limit]
	} else if more {
		found = found[len(found)-q.Limit:]
	}
	return map[string]any{"messages": found, "more": more}
}

// missed is the history of several rooms.
func (s *Server) missed(user string, q missedRequest) map[string]any {
	all := []map[string]any{}
	for _, place := range q.Rooms {
		page := refuse(tenant.CodeNotFound, "no such room")
		if r := s.room(place.Room); r != nil && r.has(user) {
			page = s.history(r, request{After: max(place.After, 1), Limit: q.Limit})
		}
		if page["code"] == tenant.CodeUnavailable {
			return page
		}
		page["room"] = place.Room
		all = append(all, page)
	}
	return map[string]any{"rooms": all}
}

// follow reads what was stored since; s.mu is held.
func (s *Server) follow() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	st, err := s.js.Stream(ctx, streamName)
	if err != nil {
		return err
	}
	last := st.CachedInfo().State.LastSeq
	if s.next > last {
		return nil
	}
	cons, err := st.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: s.next})
	if err != nil {
		return err
	}
	for s.next <= last && ctx.Err() == nil {
		batch, err := cons.FetchNoWait(int(last - s.next + 1)) //nolint:gosec // G115: a test stores few messages
		if err != nil {
			return err
		}
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return err
			}
			s.project(m, meta)
			s.next = meta.Sequence.Stream + 1
		}
	}
	return ctx.Err()
}

// serverHeaders are the headers that only the server writes: a message with one of its sender's own does not count.
var serverHeaders = []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"}

// project leaves out what the projector would.
func (s *Server) project(m jetstream.Msg, meta *jetstream.MsgMetadata) {
	p, ok := subject.ParseLive("live." + strings.TrimPrefix(m.Subject(), "chat."))
	var body map[string]any
	if !ok || json.Unmarshal(m.Data(), &body) != nil || slices.ContainsFunc(serverHeaders, func(key string) bool { return m.Headers().Get(key) != "" }) {
		return
	}
	e := map[string]any{"seq": meta.Sequence.Stream, "n": len(s.log) + 1, "sender": p.Sender, "time": meta.Timestamp}
	if p.Sender == tenant.System {
		e["event"] = body
	} else {
		e["text"] = body["text"]
	}
	s.log = append(s.log, entry{string(p.Room), e, meta.Sequence.Stream})
}
