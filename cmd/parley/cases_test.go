package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/client"
	"parley/tenant"
)

// A step of a case is JSON of any form: "do" names what to do, the rest are its arguments.
type step map[string]any

func (s step) text(key string) string { v, _ := s[key].(string); return v }

func (s step) number(key string) uint64 { v, _ := s[key].(float64); return uint64(v) }

func (s step) yes(key string) bool { v, _ := s[key].(bool); return v }

// runCases runs the shared cases with the Go SDK.
func runCases(t *testing.T, worlds, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name  string `json:"name"`
		Steps []step `json:"steps"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			newCaseRun(t, worlds).all(c.Steps)
		})
	}
}

// A caseUser is a client with what came to it by itself.
type caseUser struct {
	*client.Client
	rooms map[string]client.Room
}

// A caseRun is one case under way.
type caseRun struct {
	t       *testing.T
	worlds  string
	world   struct{ ID, Tenant, NATS string }
	vars    map[string]any
	users   map[string]*caseUser
	streams map[string]*client.Listener
	signals map[string]<-chan client.Signal
	watches map[string]chan []client.Presence
	tasks   map[string]chan outcome
}

type outcome struct {
	got any
	err error
}

func newCaseRun(t *testing.T, worlds string) *caseRun {
	return &caseRun{
		t: t, worlds: worlds, vars: map[string]any{}, users: map[string]*caseUser{},
		streams: map[string]*client.Listener{}, signals: map[string]<-chan client.Signal{}, watches: map[string]chan []client.Presence{}, tasks: map[string]chan outcome{},
	}
}

func (r *caseRun) all(steps []step) {
	r.t.Helper()
	made, err := r.ask("", step{})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := convert(made, &r.world); err != nil {
		r.t.Fatal(err)
	}
	r.vars["tenant"] = r.world.Tenant
	for i, s := range steps {
		s, _ = r.fill(s).(step)
		if err := r.step(s); err != nil {
			raw, _ := json.Marshal(s)
			r.t.Fatalf("step %d, %s: %v", i+1, raw, err)
		}
	}
}

// ask asks the world, which is always there.
func (r *caseRun) ask(path string, q any) (any, error) {
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.worlds+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(body.String())
	}
	var got any
	return got, errors.Join(json.Unmarshal(body.Bytes(), &got))
}

// fill puts variables in the place of their names.
func (r *caseRun) fill(v any) any {
	switch v := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(v, "$"); ok {
			return r.vars[name]
		}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.fill(v[i])
		}
		return out
	case step:
		return step(r.fillMap(v))
	case map[string]any:
		return r.fillMap(v)
	}
	return v
}

func (r *caseRun) fillMap(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if out[k] = v; k != "save" {
			out[k] = r.fill(v)
		}
	}
	return out
}

func (r *caseRun) step(s step) error {
	if task := s.text("task"); task != "" && s.text("do") != "await" {
		done := make(chan outcome, 1)
		r.tasks[task] = done
		go func() {
			got, err := r.do(s)
			done <- outcome{got, err}
		}()
		return nil
	}
	if want, ok := s["error"]; ok {
		got, err := r.do(s)
		if fault := differs(want, codeOf(err), ""); fault != "" {
			return fmt.Errorf("%s (%w), answer %v", fault, err, got)
		}
		return nil
	}
	for deadline := time.Now().Add(patience); ; {
		got, err := r.do(s)
		if err != nil {
			return err
		}
		var plain any
		if err := convert(got, &plain); err != nil {
			return err
		}
		fault := ""
		if want, ok := s["want"]; ok {
			fault = differs(want, plain, "")
		}
		if fault == "" {
			return r.save(s, plain)
		}
		if !s.yes("eventually") || time.Now().After(deadline) {
			return fmt.Errorf("%s; all of it: %v", fault, plain)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (r *caseRun) save(s step, got any) error {
	paths, _ := s["save"].(map[string]any)
	for name, path := range paths {
		v := got
		for key := range strings.SplitSeq(path.(string), ".") { //nolint:forcetypeassert // a case is ours
			switch at := v.(type) {
			case map[string]any:
				v = at[key]
			case []any:
				v = at[int(key[0]-'0')]
			}
		}
		if v == nil {
			return fmt.Errorf("there is no %s to save in %v", path, got)
		}
		r.vars[name] = v
	}
	return nil
}

// do runs one operation; its answer is anything that JSON can tell.
func (r *caseRun) do(s step) (any, error) {
	op := s.text("do")
	if run, ok := plainOps[op]; ok {
		return run(r, s)
	}
	u, ok := r.users[s.text("as")]
	run, known := userOps[op]
	if !ok || !known {
		return nil, fmt.Errorf("there is no operation %q of %q", op, s.text("as"))
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	return run(ctx, r, u, s)
}

// plainOps need no user.
var plainOps = map[string]func(r *caseRun, s step) (any, error){
	"world": func(r *caseRun, s step) (any, error) {
		args := step{}
		for k, v := range s {
			if k != "do" && k != "op" && k != "want" && k != "save" {
				args[k] = v
			}
		}
		return r.ask("/"+r.world.ID+"/"+s.text("op"), args)
	},
	"connect": func(r *caseRun, s step) (any, error) { return nil, r.connect(s) },
	"await": func(r *caseRun, s step) (any, error) {
		o := <-r.tasks[s.text("task")]
		return o.got, o.err
	},
	"next": func(r *caseRun, s step) (any, error) {
		return r.next(r.streams[s.text("stream")], int(s.number("n")), s.yes("events"))
	},
	"event": func(r *caseRun, s step) (any, error) {
		m, err := take(r.streams[s.text("stream")].Messages(), func(m client.Message) bool {
			var plain any
			return m.Event != nil && convert(m.Event.Raw, &plain) == nil && differs(s["want"], plain, "") == ""
		})
		if err != nil {
			return nil, err
		}
		return m.Event.Raw, nil
	},
	"end": func(r *caseRun, s step) (any, error) {
		l := r.streams[s.text("stream")]
		for range l.Messages() {
		}
		return errorOf(l.Err()), nil
	},
	"signal": func(r *caseRun, s step) (any, error) {
		got, err := take(r.signals[s.text("stream")], func(client.Signal) bool { return true })
		return map[string]any{"user": got.User, "typing": got.Typing}, err
	},
	"watched": func(r *caseRun, s step) (any, error) {
		got, err := take(r.watches[s.text("stream")], func(users []client.Presence) bool {
			var plain any
			return convert(map[string]any{"users": users}, &plain) == nil && differs(s["want"], plain, "") == ""
		})
		return map[string]any{"users": got}, err
	},
}

// userOps are what a user does.
var userOps = map[string]func(ctx context.Context, r *caseRun, u *caseUser, s step) (any, error){
	"close": func(_ context.Context, _ *caseRun, u *caseUser, _ step) (any, error) { u.Close(); return nil, nil },
	"status": func(_ context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		_, err := take(u.Status(), func(st client.Status) bool { return string(st.State) == s.text("state") })
		return nil, err
	},
	"notice": func(_ context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		n, err := take(u.Notices(), func(n client.Notice) bool {
			var plain any
			return convert(noticeOf(n), &plain) == nil && differs(s["want"], plain, "") == ""
		})
		return noticeOf(n), err
	},
	"stats": func(_ context.Context, _ *caseRun, u *caseUser, _ step) (any, error) {
		st := u.Stats()
		return map[string]any{"junk": st.Junk, "doubles": st.Doubles, "reconnects": st.Reconnects}, nil
	},
	"stopped": func(ctx context.Context, _ *caseRun, u *caseUser, _ step) (any, error) {
		select {
		case <-u.Done():
			return errorOf(u.Err()), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	},
	"call": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (got any, err error) {
		return got, u.Call(ctx, s.text("op"), s["request"], &got)
	},
	"service": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		raw, err := u.Service(ctx, s.text("name"), []byte(s.text("body")))
		return map[string]any{"text": string(raw)}, err
	},
	"answer": func(_ context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Answer(context.Background(), s.text("name"), nil, func(_ context.Context, q client.Question) []byte {
			return fmt.Appendf(nil, "own %s %s", q.User, q.Body)
		})
	},
	"whoami": func(ctx context.Context, _ *caseRun, u *caseUser, _ step) (any, error) { return u.WhoAmI(ctx) },
	"rooms": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		all, err := u.Rooms(ctx, s.text("query"))
		rooms, ids := []any{}, []string{}
		for _, room := range all {
			u.rooms[string(room.ID)] = room
			rooms, ids = append(rooms, roomOf(room)), append(ids, string(room.ID))
		}
		return map[string]any{"rooms": rooms, "ids": ids}, err
	},
	"room": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.Room(ctx, s.text("room"))
		return roomOf(room), err
	},
	"join": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.Join(ctx, s.text("room"))
		return roomOf(room), err
	},
	"leave": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Leave(ctx, named(s))
	},
	"members": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		all, err := u.Members(ctx, named(s))
		return map[string]any{"members": all}, err
	},
	"direct": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.Direct(ctx, s.text("user"))
		return roomOf(room), err
	},
	"create": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		var n client.NewRoom
		if err := convert(s["room"], &n); err != nil {
			return nil, err
		}
		room, err := u.Create(ctx, n)
		return roomOf(room), err
	},
	"change": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		var change client.RoomChange
		if err := convert(s["change"], &change); err != nil {
			return nil, err
		}
		return nil, u.Change(ctx, named(s), change)
	},
	"freeze": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Freeze(ctx, named(s), s.yes("on"))
	},
	"archive": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Archive(ctx, named(s), s.yes("on"))
	},
	"delete_room": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.DeleteRoom(ctx, named(s))
	},
	"invite": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Invite(ctx, named(s), s.text("user"), tenant.Role(s.text("role")), time.Time{})
	},
	"kick": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Kick(ctx, named(s), s.text("user"), s.text("reason"))
	},
	"ban": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Ban(ctx, named(s), s.text("user"), time.Time{}, s.text("reason"))
	},
	"unban": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Unban(ctx, named(s), s.text("user"))
	},
	"role": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.SetRole(ctx, named(s), s.text("user"), tenant.Role(s.text("role")))
	},
	"mute": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Mute(ctx, named(s), s.text("user"), time.Time{}, s.text("reason"))
	},
	"unmute": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Unmute(ctx, named(s), s.text("user"))
	},
	"pin": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Pin(ctx, named(s), s.number("seq"), s.yes("on"))
	},
	"pins": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		all, err := u.Pins(ctx, named(s))
		return summary(all), err
	},
	"report": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Report(ctx, named(s), s.number("seq"), s.text("reason"))
	},
	"notify": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Notify(ctx, named(s), s.text("level"))
	},
	"block": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.Block(ctx, s.text("user"), s.yes("on"))
	},
	"blocks": func(ctx context.Context, _ *caseRun, u *caseUser, _ step) (any, error) {
		users, err := u.Blocks(ctx)
		return map[string]any{"users": users}, err
	},
	"presence": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		var users []string
		err := convert(s["users"], &users)
		look := func(ctx context.Context) ([]client.Presence, error) { return u.PresenceOf(ctx, users...) }
		if users == nil {
			look = func(ctx context.Context) ([]client.Presence, error) { return u.Presence(ctx, named(s)) }
		}
		got, errLook := look(ctx)
		return map[string]any{"users": got}, errors.Join(err, errLook)
	},
	"idle": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		return nil, u.SetIdle(ctx, s.yes("on"))
	},
	"post": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, d, err := u.draft(ctx, s)
		if err != nil {
			return nil, err
		}
		post := u.Post
		if s.yes("echo") {
			post = u.PostEcho
		}
		ack, err := post(ctx, room, d)
		return map[string]any{"seq": ack.Seq, "duplicate": ack.Duplicate}, err
	},
	"send": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, d, err := u.draft(ctx, s)
		if err != nil {
			return nil, err
		}
		return nil, u.Send(room, d)
	},
	"history": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		q := client.HistoryQuery{Before: s.number("before"), After: s.number("after"), Thread: s.number("thread"), Limit: int(s.number("limit"))}
		messages, more, err := u.History(ctx, named(s), q)
		out := summary(messages)
		out["more"] = more
		return out, err
	},
	"search": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		q := client.SearchQuery{Query: s.text("query"), Room: named(s).ID, Limit: int(s.number("limit")), After: s.text("after")}
		found, next, err := u.Search(ctx, q)
		texts, rooms, hits := []string{}, []tenant.RoomID{}, []string{}
		for _, m := range found {
			texts, rooms = append(texts, m.Text), append(rooms, m.Room)
			for _, p := range m.Excerpt {
				if p.Hit {
					hits = append(hits, p.Text)
				}
			}
		}
		return map[string]any{"texts": texts, "rooms": rooms, "hits": hits, "next": next}, err
	},
	"read": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		n, err := u.Read(ctx, named(s), s.number("seq"))
		return map[string]any{"unread": n}, err
	},
	"unread": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		count := u.Unread
		if s.text("room") != "" {
			count = func(ctx context.Context) (int64, error) { return u.UnreadIn(ctx, named(s)) }
		}
		n, err := count(ctx)
		return map[string]any{"unread": n}, err
	},
	"edit": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		m, err := u.Edit(ctx, named(s), s.number("seq"), s.text("text"))
		return messageOf(m), err
	},
	"delete": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		m, err := u.Delete(ctx, named(s), s.number("seq"))
		return messageOf(m), err
	},
	"react": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		run := u.React
		if on, given := s["on"].(bool); given && !on {
			run = u.Unreact
		}
		m, err := run(ctx, named(s), s.number("seq"), s.text("emoji"))
		return messageOf(m), err
	},
	"listen": func(ctx context.Context, r *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.known(ctx, s)
		if err != nil {
			return nil, err
		}
		r.streams[s.text("stream")], err = u.Listen(r.t.Context(), room, s.number("after"))
		return nil, err
	},
	"typing": func(ctx context.Context, _ *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.known(ctx, s)
		if err != nil {
			return nil, err
		}
		return nil, u.Typing(room, s.yes("on"))
	},
	"watch": func(ctx context.Context, r *caseRun, u *caseUser, s step) (any, error) {
		told, ended := make(chan []client.Presence, 100), make(chan error, 1)
		r.watches[s.text("stream")] = told
		began := make(chan struct{})
		begin := sync.OnceFunc(func() { close(began) })
		go func() {
			ended <- u.WatchPresence(r.t.Context(), named(s), func(users []client.Presence) {
				told <- users
				begin()
			})
		}()
		select {
		case <-began:
			return nil, nil
		case err := <-ended:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	},
	"signals": func(ctx context.Context, r *caseRun, u *caseUser, s step) (any, error) {
		room, err := u.known(ctx, s)
		if err != nil {
			return nil, err
		}
		r.signals[s.text("stream")], err = u.Signals(r.t.Context(), room)
		return nil, err
	},
}

func (r *caseRun) connect(s step) error {
	o := client.Options{URL: r.world.NATS, User: s.text("as"), Name: s.text("as")}
	if token, ok := s["token"].(string); ok {
		o.Token = client.StaticToken(token)
	}
	if creds, ok := s["creds"].(string); ok {
		o.CredsFile = filepath.Join(r.t.TempDir(), "user.creds")
		if err := os.WriteFile(o.CredsFile, []byte(creds), 0o600); err != nil {
			return err
		}
	}
	if password, ok := s["password"].(string); ok {
		o.Tenant, o.Password = r.world.Tenant, password
	}
	if o.Token == nil && o.CredsFile == "" && o.Password == "" {
		o.Token = func(context.Context) (string, error) {
			got, err := r.ask("/"+r.world.ID+"/token", step{"user": o.User})
			var t tokenAnswer
			return t.Token, errors.Join(err, convert(got, &t))
		}
	}
	if rooms, ok := s["rooms"].([]any); ok {
		o.Rooms = []string{}
		for _, room := range rooms {
			o.Rooms = append(o.Rooms, fmt.Sprint(room))
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c, err := client.Connect(ctx, o)
	if err != nil {
		return err
	}
	r.t.Cleanup(c.Close)
	as := o.User
	if device := s.text("device"); device != "" {
		as = device
	}
	r.users[as] = &caseUser{Client: c, rooms: map[string]client.Room{}}
	return nil
}

// known is a room as the user saw it first: he may have lost it since.
func (u *caseUser) known(ctx context.Context, s step) (client.Room, error) {
	if room, ok := u.rooms[s.text("room")]; ok {
		return room, nil
	}
	room, err := u.Room(ctx, s.text("room"))
	if err == nil {
		u.rooms[string(room.ID)] = room
	}
	return room, err
}

// named is a room for operations that need its id alone.
func named(s step) client.Room { return client.Room{ID: tenant.RoomID(s.text("room"))} }

func (u *caseUser) draft(ctx context.Context, s step) (client.Room, client.Draft, error) {
	room, err := u.known(ctx, s)
	var d client.Draft
	var extra struct {
		ID     string `json:"id"`
		Repeat int    `json:"repeat"`
	}
	err = errors.Join(err, convert(s["draft"], &d), convert(s["draft"], &extra))
	if d.ID = extra.ID; extra.Repeat > 0 {
		d.Text = strings.Repeat(d.Text, extra.Repeat)
	}
	return room, d, err
}

func (r *caseRun) next(l *client.Listener, n int, events bool) (any, error) {
	var got []client.Message
	for len(got) < n {
		m, err := take(l.Messages(), func(m client.Message) bool { return events || m.Event == nil })
		if err != nil {
			return nil, errors.Join(err, l.Err())
		}
		got = append(got, m)
	}
	return summary(got), nil
}

// take takes the first value that passes from a channel.
func take[T any](from <-chan T, test func(T) bool) (T, error) {
	timeout := time.After(patience)
	var none T
	for {
		select {
		case v, ok := <-from:
			if !ok {
				return none, errors.New("it ended")
			}
			if test(v) {
				return v, nil
			}
		case <-timeout:
			return none, errors.New("it did not come in time")
		}
	}
}

// What follows brings the SDK's values into the form that the cases speak of.

func noticeOf(n client.Notice) any {
	out := map[string]any{}
	_ = convert(n, &out) // a notice is made of what JSON can tell
	out["what"] = n.What
	if n.What == client.NoticeRead {
		out["read"] = n.Readers
	} else {
		out["read"] = n.Read
	}
	return out
}

func roomOf(r client.Room) any {
	out := map[string]any{
		"id": r.ID, "kind": r.Kind, "class": r.Class, "title": r.Title, "role": r.Role,
		"unread": r.Unread, "mentions": r.Mentions, "last": r.Last, "read": r.Read, "notify": r.Notify,
	}
	if r.Shared != nil {
		out["host"], out["tenant"] = r.Shared.Host, r.Shared.Tenant
	}
	return out
}

func messageOf(m client.Message) map[string]any {
	return map[string]any{
		"seq": m.Seq, "sender": m.Sender, "text": m.Text, "thread": m.Thread, "mentions": m.Mentions, "attachments": m.Attachments,
		"data": m.Data, "id": m.ID, "n": m.N, "replies": m.Replies, "reactions": m.Reactions, "edited": m.Edited, "deleted": m.Deleted,
	}
}

// summary speaks of messages; events don't count among texts.
func summary(all []client.Message) map[string]any {
	messages, texts, senders, events := []any{}, []string{}, []string{}, []any{}
	late, ordered, last := 0, true, uint64(0)
	for _, m := range all {
		ordered, last = ordered && m.Seq > last, m.Seq
		if m.Late {
			late++
		}
		if m.Event != nil {
			events = append(events, m.Event.Raw)
			continue
		}
		messages, texts, senders = append(messages, messageOf(m)), append(texts, m.Text), append(senders, m.Sender)
	}
	return map[string]any{"messages": messages, "texts": texts, "senders": senders, "events": events, "late": late, "ordered": ordered}
}

func codeOf(err error) string {
	var e *client.Error
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, new(*client.RevokedError)):
		return "revoked"
	case errors.Is(err, client.ErrRefused):
		return "refused"
	case errors.Is(err, client.ErrClosed):
		return "closed"
	case errors.As(err, &e):
		return string(e.Code)
	}
	return err.Error()
}

func errorOf(err error) any {
	message := fmt.Sprint(err)
	var revoked *client.RevokedError
	if errors.As(err, &revoked) {
		message = revoked.Reason
	}
	return map[string]any{"code": codeOf(err), "message": message}
}

// convert turns a value into another by its JSON.
func convert(from, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

// differs says where got is not as wanted, "" where it is: objects may hold more than wanted, lists
// not; "*" is anything that is there; a list in the place of a text holds what it may be.
func differs(want, got any, where string) string {
	fault := fmt.Sprintf("%s: got %v, want %v", where, got, want)
	switch w := want.(type) {
	case string:
		if w == "*" && got != nil || w == got {
			return ""
		}
		return fault
	case []any:
		if text, ok := got.(string); ok && slices.Contains(w, any(text)) {
			return ""
		}
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fault
		}
		for i := range w {
			if f := differs(w[i], g[i], fmt.Sprintf("%s[%d]", where, i)); f != "" {
				return f
			}
		}
		return ""
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fault
		}
		for k := range w {
			if f := differs(w[k], g[k], where+"."+k); f != "" {
				return f
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fault
	}
	return ""
}
