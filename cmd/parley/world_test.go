package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/chattest"
)

// A world is what one shared case of the SDKs (client/cases) happens in: a tenant of its own, and
// what a client can't do itself: calls of the HTTP API, users with a plain NATS client, lost
// connections. Runners in any language ask for it over HTTP.
type world struct {
	s      *server
	tenant string
	tcp    *chattest.Proxy
	ws     *chattest.Proxy

	mu      sync.Mutex
	peers   map[string]*peer
	ttl     int  // of tokens, in seconds
	spoilt  bool // tokens are none
	minted  int
	minting int
	most    int // at once
}

// worlds serves `POST /worlds` and `POST /worlds/{id}/{op}`, JSON both ways; what goes wrong is a 500 with text.
func worlds(t *testing.T, s *server) string {
	t.Helper()
	var mu sync.Mutex
	all := map[string]*world{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /worlds", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		id := fmt.Sprintf("w%d", len(all))
		all[id] = nil
		mu.Unlock()
		made, err := newWorld(s, id)
		mu.Lock()
		all[id] = made
		mu.Unlock()
		reply(w, map[string]any{"id": id, "tenant": id, "nats": made.tcp.URL, "ws": "ws://" + made.ws.Addr}, err)
	})
	mux.HandleFunc("POST /worlds/{id}/{op}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		wd := all[r.PathValue("id")]
		mu.Unlock()
		var step worldStep
		if err := json.NewDecoder(r.Body).Decode(&step); err != nil || wd == nil {
			reply(w, nil, fmt.Errorf("world %s: %w", r.PathValue("id"), err))
			return
		}
		answer, err := wd.do(r.PathValue("op"), step)
		reply(w, answer, err)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func reply(w http.ResponseWriter, answer any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if answer == nil {
		answer = map[string]any{}
	}
	_ = json.NewEncoder(w).Encode(answer) // a runner that went away has failed already
}

// newWorld makes a tenant with users alice, bob and mallory, and rooms lobby (open), board
// (private: alice owns it, bob is in it) and news (announce: alice posts).
func newWorld(s *server, id string) (*world, error) {
	w := &world{
		s: s, tenant: id, ttl: 3600, peers: map[string]*peer{},
		tcp: chattest.Forward(s.t, hostOf(s.NATS)), ws: chattest.Forward(s.t, hostOf(s.WS)),
	}
	if a := s.send(s.token, http.MethodPost, "/v1/tenants", fmt.Sprintf(`{"id":%q,"name":%q,"timezone":"UTC"}`, id, id)); a.status != http.StatusCreated {
		return w, fmt.Errorf("make tenant: %s", a.body)
	}
	for _, c := range [][3]string{
		{http.MethodPut, "/users/alice", `{"name":"Alice"}`},
		{http.MethodPut, "/users/bob", `{"name":"Bob"}`},
		{http.MethodPut, "/users/mallory", `{"name":"Mallory"}`},
		{http.MethodPost, "/rooms", `{"id":"lobby","kind":"open","title":"Lobby"}`},
		{http.MethodPost, "/rooms", `{"id":"board","kind":"private"}`},
		{http.MethodPost, "/rooms", `{"id":"news","kind":"announce"}`},
		{http.MethodPut, "/rooms/board/members/alice", `{"role":"owner"}`},
		{http.MethodPut, "/rooms/board/members/bob", `{"role":"member"}`},
		{http.MethodPut, "/rooms/news/members/alice", `{"role":"poster"}`},
	} {
		if a := w.api(c[0], c[1], c[2]); a.status >= 300 {
			return w, fmt.Errorf("%s %s: %s", c[0], c[1], a.body)
		}
	}
	return w, nil
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Host
}

// api calls the HTTP API as the operator; path is below the tenant.
func (w *world) api(method, path, body string) answer {
	return w.s.send(w.s.token, method, "/v1/tenants/"+w.tenant+path, body)
}

// A worldStep holds the arguments of all operations.
type worldStep struct {
	// http
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`
	Status int             `json:"status"` // 0: any of success
	// say, publish
	User    string            `json:"user"`
	Room    string            `json:"room"`
	Subject string            `json:"subject"`
	Reply   string            `json:"reply"`
	Headers map[string]string `json:"headers"`
	Texts   []string          `json:"texts"`
	// tokens
	TTL    int  `json:"ttl"`
	Spoilt bool `json:"spoilt"`
}

func (w *world) do(op string, q worldStep) (any, error) {
	switch op {
	case "http":
		return w.http(q)
	case "say":
		return w.say(q)
	case "publish":
		return nil, w.publish(q)
	case "serve":
		return w.serve(q.User)
	case "share":
		return w.share()
	case "welcome":
		return w.welcome()
	case "abroad":
		return nil, w.abroad(q)
	case "swallow": // the next bytes from the server to a client get lost, and its connection
		w.tcp.SwallowNext()
		w.ws.SwallowNext()
	case "cut": // all connections, until mend
		w.tcp.Break()
		w.ws.Break()
	case "mend":
		w.tcp.Mend()
		w.ws.Mend()
	case "tokens": // says what token gives from now on
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ttl, w.spoilt = max(q.TTL, 1), q.Spoilt
	case "token":
		return w.mint(q.User)
	case "minted":
		w.mu.Lock()
		defer w.mu.Unlock()
		return map[string]int{"calls": w.minted, "most": w.most}, nil
	default:
		return nil, fmt.Errorf("there is no operation %q of a world", op)
	}
	return nil, nil
}

func (w *world) http(q worldStep) (any, error) {
	a := w.api(q.Method, q.Path, string(q.Body))
	if q.Status == 0 && a.status >= 300 || q.Status != 0 && a.status != q.Status {
		return nil, fmt.Errorf("%s %s: got %d %s, want %d", q.Method, q.Path, a.status, a.body, q.Status)
	}
	if strings.HasPrefix(string(a.body), "{") {
		return json.RawMessage(a.body), nil
	}
	return map[string]string{"text": string(a.body)}, nil // a .creds file
}

// serve makes a service that answers who asks what, of the tenant and of another one that shares it. It tells
// how the other's is named, and the path of the share.
func (w *world) serve(name string) (any, error) {
	host := w.tenant + "-host"
	var made shareAnswer
	for _, c := range []struct{ path, body string }{
		{"", fmt.Sprintf(`{"id":%q,"name":"Host","timezone":"UTC"}`, host)},
		{"/" + host + "/shares", fmt.Sprintf(`{"service":%q,"guest":%q}`, name, w.tenant)},
		{"/" + w.tenant + "/shares/%s/accept", ""},
	} {
		a := w.s.send(w.s.token, http.MethodPost, "/v1/tenants"+strings.Replace(c.path, "%s", made.Share.ID, 1), c.body)
		if a.status >= 300 || json.Unmarshal(a.body, &made) != nil {
			return nil, fmt.Errorf("POST %s: %s", c.path, a.body)
		}
	}
	for _, tenant := range []string{w.tenant, host} {
		_, creds := w.s.serviceKey(tenant, name)
		p, err := w.s.dial(w.s.NATS, name, creds)
		if err != nil {
			return nil, err
		}
		_, err = p.Subscribe("svc."+name+".*.*", func(m *nats.Msg) {
			from := strings.Split(m.Subject, ".")
			kind := map[string]string{w.tenant: "own", made.Share.ID: "shared"}[from[2]]
			_ = m.Respond([]byte(kind + " " + from[3] + " " + string(m.Data))) // the requester waits for it
		})
		if err := errors.Join(err, p.Flush()); err != nil {
			return nil, err
		}
	}
	return map[string]string{"theirs": name + "@" + host, "path": "/shares/" + made.Share.ID}, nil
}

// share makes a host whose room hall, with helga in it, the tenant shares: alice and bob are in.
func (w *world) share() (any, error) {
	host := w.tenant + "-host"
	if err := w.others([][3]string{
		{http.MethodPost, "", fmt.Sprintf(`{"id":%q,"name":"Host","timezone":"UTC"}`, host)},
		{http.MethodPut, "/" + host + "/users/helga", `{}`},
		{http.MethodPost, "/" + host + "/rooms", `{"id":"hall","kind":"shared","title":"Hall"}`},
		{http.MethodPut, "/" + host + "/rooms/hall/members/helga", `{"role":"owner"}`},
	}); err != nil {
		return nil, err
	}
	address, path, err := w.invite(w.tenant, "alice", "bob")
	return map[string]string{"room": address, "host": host, "helga": "helga@" + host, "path": path}, err
}

// welcome has a third tenant take part in hall, with tim.
func (w *world) welcome() (any, error) {
	third := w.tenant + "-third"
	if err := w.others([][3]string{
		{http.MethodPost, "", fmt.Sprintf(`{"id":%q,"name":"Third","timezone":"UTC"}`, third)},
		{http.MethodPut, "/" + third + "/users/tim", `{}`},
	}); err != nil {
		return nil, err
	}
	_, _, err := w.invite(third, "tim")
	return map[string]string{"third": third, "tim": "tim@" + third}, err
}

// invite shares hall with a guest, and puts users of his in.
func (w *world) invite(guest string, users ...string) (address, path string, err error) {
	a := w.s.send(w.s.token, http.MethodPost, "/v1/tenants/"+w.tenant+"-host/shares", fmt.Sprintf(`{"room":"hall","guest":%q,"post":true}`, guest))
	var made shareAnswer
	if a.status >= 300 || json.Unmarshal(a.body, &made) != nil {
		return "", "", fmt.Errorf("offer hall: %s", a.body)
	}
	address = string(made.Share.Room)
	calls := [][3]string{{http.MethodPost, "/" + guest + "/shares/" + made.Share.ID + "/accept", ""}}
	for _, u := range users {
		calls = append(calls, [3]string{http.MethodPut, "/" + guest + "/rooms/" + address + "/members/" + u, `{}`})
	}
	return address, "/shares/" + made.Share.ID, w.others(calls)
}

// abroad has a user of another tenant, <user>@<tenant>, post in hall, which the tenant has as a room.
func (w *world) abroad(q worldStep) error {
	user, of, _ := strings.Cut(q.User, "@")
	for _, text := range q.Texts {
		body, err := json.Marshal(map[string]string{"as": user, "text": text})
		if err != nil {
			return err
		}
		if err := w.others([][3]string{{http.MethodPost, "/" + of + "/rooms/" + q.Room + "/messages", string(body)}}); err != nil {
			return err
		}
	}
	return nil
}

// others makes calls as the operator, whose paths begin with a tenant.
func (w *world) others(calls [][3]string) error {
	for _, c := range calls {
		if a := w.s.send(w.s.token, c[0], "/v1/tenants"+c[1], c[2]); a.status >= 300 {
			return fmt.Errorf("%s %s: %d %s", c[0], c[1], a.status, a.body)
		}
	}
	return nil
}

// mint gives a user's token, and counts.
func (w *world) mint(user string) (any, error) {
	w.mu.Lock()
	w.minted++
	w.minting++
	w.most = max(w.most, w.minting)
	ttl, spoilt := w.ttl, w.spoilt
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.minting--
		w.mu.Unlock()
	}()
	if spoilt {
		return map[string]string{"token": "e30.e30.e30"}, nil
	}
	a := w.api(http.MethodPost, "/users/"+user+"/tokens", fmt.Sprintf(`{"ttl_seconds":%d}`, ttl))
	if a.status >= 300 {
		return nil, fmt.Errorf("token for %s: %s", user, a.body)
	}
	return json.RawMessage(a.body), nil
}

// peer is a user's connection through nats.go alone, past the proxy.
func (w *world) peer(user string) (*peer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.peers[user]; ok {
		return p, nil
	}
	a := w.api(http.MethodPost, "/users/"+user+"/tokens", `{"ttl_seconds":3600}`)
	var got tokenAnswer
	if err := json.Unmarshal(a.body, &got); err != nil {
		return nil, fmt.Errorf("token for %s: %s", user, a.body)
	}
	p, err := w.s.dial(w.s.NATS, user, nats.Token(got.Token))
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", user, err)
	}
	w.peers[user] = p
	return p, nil
}

// say posts texts as a user and answers the sequences. The subject has no sender.
func (w *world) say(q worldStep) (any, error) {
	p, err := w.peer(q.User)
	if err != nil {
		return nil, err
	}
	seqs := []uint64{}
	for _, text := range q.Texts {
		ack, err := p.tryPost("chat."+q.Subject+"."+q.User, text, "", 10*time.Second)
		if err != nil {
			return nil, fmt.Errorf("%s says %q: %w", q.User, text, err)
		}
		seqs = append(seqs, ack.Seq)
	}
	return map[string]any{"seqs": seqs}, nil
}

// publish sends anything anywhere, as a user of ill will.
func (w *world) publish(q worldStep) error {
	p, err := w.peer(q.User)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: strings.ReplaceAll(q.Subject, "{tenant}", w.tenant), Reply: q.Reply, Data: q.Body, Header: nats.Header{}}
	for k, v := range q.Headers {
		m.Header[k] = []string{v}
	}
	return errors.Join(p.PublishMsg(m), p.Flush())
}
