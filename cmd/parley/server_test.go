package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/app"
)

// asParley makes the test binary be parley, so that the tests run the real
// program in a process of its own without a second build.
const asParley = "PARLEY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asParley) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command is parley with arguments, in an environment without settings of the machine's.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PARLEY_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, asParley+"=1")
	return cmd
}

// A server is a running `parley serve`.
type server struct {
	t    *testing.T
	data string
	args []string
	app.RunInfo
	token  string
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	gone   chan struct{} // closed when the process has ended
	http   *http.Client  // nil: the default
}

// patience bounds each wait of a test; it is no expectation of speed.
const patience = 60 * time.Second

// serve starts a server in a folder that goes with the test. args are further flags.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, data: dataFolder(t), args: args}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// dataFolder makes a folder that Postgres can enter as its own user: t.TempDir is closed to others.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "parley") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the data folder: %v", err)
		}
	})
	return filepath.Join(dir, "data")
}

// start runs the program until it says that it is ready.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{
		"serve", "--data", s.data,
		"--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--ws", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
	}, s.args...)
	s.cmd = command(context.Background(), args...)
	s.stderr = &bytes.Buffer{}
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	s.gone = make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "parley ready") {
				ready <- true
			}
		}
		_ = s.cmd.Wait() // killed or not is for the test to say
		close(s.gone)
	}()
	select {
	case <-ready:
	case <-s.gone:
		s.t.Fatalf("parley ended before it was ready:\n%s", s.stderr)
	case <-time.After(patience):
		s.kill()
		s.t.Fatalf("parley is not ready:\n%s", s.stderr)
	}
	if s.RunInfo, err = app.ReadRunInfo(s.data); err != nil {
		s.t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(s.data, app.OperatorTokenFile))
	if err != nil && s.HTTP != "" { // else it has no API
		s.t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(b))
}

// stop ends the program as ^C does.
func (s *server) stop() {
	s.t.Helper()
	select {
	case <-s.gone:
		return
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	select {
	case <-s.gone:
	case <-time.After(patience):
		s.kill()
		s.t.Errorf("parley does not stop:\n%s", s.stderr)
	}
}

// kill ends the program as a crash does.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	<-s.gone
}

// An answer of the HTTP API.
type answer struct {
	status int
	body   []byte
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
}

// send calls the API with a key of its own; body is JSON text, or empty.
func (s *server) send(key, method, path, body string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.HTTP+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := s.http
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, b}
}

// call calls the API as the operator and wants success.
func (s *server) call(method, path, body string) answer {
	s.t.Helper()
	a := s.send(s.token, method, path, body)
	if a.status >= 300 {
		s.t.Fatalf("%s %s: got %d %s", method, path, a.status, a.body)
	}
	return a
}

// tenant makes a tenant and returns its account and API key.
func (s *server) tenant(id string) (account, key string) {
	s.t.Helper()
	var made tenantAnswer
	s.call(http.MethodPost, "/v1/tenants", fmt.Sprintf(`{"id":%q,"name":%q,"timezone":"UTC"}`, id, id)).into(s.t, &made)
	return made.Tenant.Account, made.APIKey
}

// users makes users whose password is their id and "-password".
func (s *server) users(tenant string, ids ...string) {
	s.t.Helper()
	for _, u := range ids {
		s.call(http.MethodPut, "/v1/tenants/"+tenant+"/users/"+u, fmt.Sprintf(`{"name":%q,"password":"%s-password"}`, strings.ToUpper(u), u))
	}
}

// room makes a room of class std.
func (s *server) room(tenant, id, kind string) {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/tenants/"+tenant+"/rooms", fmt.Sprintf(`{"id":%q,"kind":%q}`, id, kind))
}

// member makes a user a member of a room.
func (s *server) member(tenant, room, user, role string) {
	s.t.Helper()
	s.call(http.MethodPut, "/v1/tenants/"+tenant+"/rooms/"+room+"/members/"+user, fmt.Sprintf(`{"role":%q}`, role))
}

// userToken mints a token for a user.
func (s *server) userToken(tenant, user string) string {
	s.t.Helper()
	var got tokenAnswer
	s.call(http.MethodPost, "/v1/tenants/"+tenant+"/users/"+user+"/tokens", `{"ttl_seconds":3600}`).into(s.t, &got)
	return got.Token
}

// credsFile issues a .creds file for a user.
func (s *server) credsFile(tenant, user string) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), user+".creds")
	if err := os.WriteFile(file, s.call(http.MethodPost, "/v1/tenants/"+tenant+"/users/"+user+"/creds", "").body, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// A peer is a user's connection through nats.go alone.
type peer struct {
	*nats.Conn
	t      *testing.T
	user   string
	denied chan string // permissions violations that the server told
}

// dial connects a user; url is s.NATS or s.WS.
func (s *server) dial(url, user string, how ...nats.Option) (*peer, error) {
	s.t.Helper()
	p := &peer{t: s.t, user: user, denied: make(chan string, 1000)}
	opts := append([]nats.Option{
		nats.CustomInboxPrefix("_INBOX." + user),
		nats.Timeout(5 * time.Second),
		nats.ReconnectWait(50 * time.Millisecond),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case p.denied <- err.Error():
			default:
			}
		}),
	}, how...)
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, err
	}
	p.Conn = nc
	s.t.Cleanup(nc.Close)
	return p, nil
}

// peer connects a user with a token over TCP.
func (s *server) peer(tenant, user string) *peer {
	s.t.Helper()
	p, err := s.dial(s.NATS, user, nats.Token(s.userToken(tenant, user)))
	if err != nil {
		s.t.Fatalf("connect %s of %s: %v", user, tenant, err)
	}
	return p
}

// A puback is the acknowledgement of a post.
type puback struct {
	Stream    string `json:"stream"`
	Seq       uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
	Error     *struct {
		Description string `json:"description"`
	} `json:"error"`
}

// post posts text on a subject with an id ("": one of its own) and wants the acknowledgement.
func (p *peer) post(subject, text, id string) puback {
	p.t.Helper()
	ack, err := p.tryPost(subject, text, id, 10*time.Second)
	if err != nil {
		p.t.Fatalf("%s posts on %s: %v", p.user, subject, err)
	}
	return ack
}

func (p *peer) tryPost(subject, text, id string, wait time.Duration) (puback, error) {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return puback{}, err
	}
	return p.tryBody(subject, string(body), id, wait)
}

func (p *peer) tryBody(subject, body, id string, wait time.Duration) (puback, error) {
	m := nats.NewMsg(subject)
	m.Data = []byte(body)
	if id == "" {
		id = nats.NewInbox()
	}
	m.Header.Set("Nats-Msg-Id", id)
	reply, err := p.RequestMsg(m, wait)
	if err != nil {
		return puback{}, err
	}
	var ack puback
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return puback{}, err
	}
	if ack.Error != nil {
		return puback{}, errors.New(ack.Error.Description)
	}
	return ack, nil
}

// listen subscribes and waits until the server has it.
func (p *peer) listen(subject string) *nats.Subscription {
	p.t.Helper()
	sub, err := p.SubscribeSync(subject)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		p.t.Fatal(err)
	}
	return sub
}

// next returns the next message of a subscription.
func (p *peer) next(sub *nats.Subscription) *nats.Msg {
	p.t.Helper()
	m, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		p.t.Fatalf("%s waits on %s: %v", p.user, sub.Subject, err)
	}
	return m
}

// ask calls an operation of the chat API.
func (p *peer) ask(op, body string) (reply map[string]any) {
	p.t.Helper()
	m, err := p.Request("chat.api."+p.user+"."+op, []byte(body), 10*time.Second)
	if err != nil {
		p.t.Fatalf("%s asks %s: %v", p.user, op, err)
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		p.t.Fatalf("%s asks %s: %v in %s", p.user, op, err, m.Data)
	}
	return reply
}

// wantDenied wants a permissions violation that names the subject.
func (p *peer) wantDenied(subject string) {
	p.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case got := <-p.denied:
			if strings.Contains(got, subject) {
				return
			}
		case <-timeout:
			p.t.Fatalf("%s: got no permissions violation for %s", p.user, subject)
		}
	}
}

// quiet wants that nothing has arrived: a round trip proves that all that was on its way is there.
func (p *peer) quiet(sub *nats.Subscription) {
	p.t.Helper()
	if err := p.Flush(); err != nil {
		p.t.Fatal(err)
	}
	if n, _, err := sub.Pending(); err != nil || n != 0 {
		m, _ := sub.NextMsg(time.Second)
		p.t.Errorf("%s on %s: got %d messages (%v), want none; first: %+v", p.user, sub.Subject, n, err, m)
	}
}

// eventually polls until ok says yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not in time: %s", what)
		}
	}
}
