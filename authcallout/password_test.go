package authcallout

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

const secret = "correct horse"

// withHash gives alice a password.
func (w *world) withHash(user tenant.UserID, password tenant.Secret) {
	u := w.users["acme/"+string(user)]
	u.PasswordHash = must(w.callout.conf.Hasher.Hash(context.Background(), password))
	w.addUser(u)
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withHash("alice", secret)
	w.addUser(tenant.User{Tenant: "acme", ID: "gone", Status: tenant.UserRevoked})
	w.withHash("gone", secret)
	w.addTenant("other")
	w.addUser(tenant.User{Tenant: "other", ID: "carol"})
	w.addTenant("closed").status = tenant.Suspended
	w.addUser(tenant.User{Tenant: "closed", ID: "alice"})
	for _, c := range []struct {
		user, password, code string
		tenant               tenant.TenantID
	}{
		{"acme/alice", secret, "", "acme"},
		{"acme/alice", "wrong", "password_wrong", "acme"},
		{"acme/alice", "", "password_wrong", "acme"},
		{"acme/alice", secret + "\x00", "password_wrong", "acme"},
		{"acme/alice", strings.Repeat("a", 2000), "password_wrong", "acme"},
		{"acme/bob", secret, "password_unset", "acme"},
		{"acme/bob", "", "password_unset", "acme"},
		{"acme/nobody", secret, "user_unknown", "acme"},
		{"acme/gone", secret, "user_revoked", "acme"},
		{"acme/gone", "wrong", "user_revoked", "acme"},
		{"closed/alice", secret, "tenant_suspended", "closed"},
		{"other/alice", secret, "user_unknown", "other"},
		{"nobody/alice", secret, "tenant_unknown", ""},
		{"alice", secret, "user_malformed", ""},
		{"/alice", secret, "user_malformed", ""},
		{"acme/", secret, "user_malformed", "acme"},
		{"acme/alice/x", secret, "user_malformed", "acme"},
		{"acme/*", secret, "user_malformed", "acme"},
		{"acme/_", secret, "user_malformed", "acme"},
		{"ACME/alice", secret, "user_malformed", ""},
		{"", secret, "user_malformed", ""},
	} {
		if c.code == "" {
			w.admitted("alice", withPassword(c.user, c.password))
			continue
		}
		r := w.refused(c.code, withPassword(c.user, c.password))
		if r.Tenant != c.tenant || r.Method != tenant.MethodPassword || strings.Contains(r.Reason, secret) {
			t.Errorf("%s: got %+v, want tenant %q", c.user, r, c.tenant)
		}
	}
	if s := <-w.sessions; s.Method != tenant.MethodPassword || s.User != "alice" {
		t.Errorf("got session %+v", s)
	}
	// With rooms beside it.
	w.admitted("alice", withPassword("acme/alice", secret), withToken(";rooms=town"))
	if asked := w.claims(); !slices.Equal(asked[len(asked)-1].Rooms, []tenant.RoomID{"town"}) {
		t.Errorf("got rooms %v, want town", asked[len(asked)-1].Rooms)
	}
	w.refused("rooms_invalid", withPassword("acme/alice", secret), withToken(";rooms=*"))
}

// TestThrottle: only wrong passwords count, by user and by address, and a stranger's do not lock
// a user out where the user has signed in before.
func TestThrottle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withHash("alice", secret)
	w.withHash("bob", secret)
	home, evil, cafe := from("192.0.2.7"), from("203.0.113.66"), from("198.51.100.5")

	for range 2 * wrongPerUser {
		w.admitted("alice", home, withPassword("acme/alice", secret))
	}
	for range wrongPerUser {
		w.refused("password_wrong", evil, withPassword("acme/alice", "guess"))
	}
	if r := w.refused("throttled", evil, withPassword("acme/alice", "guess")); r.Tenant != "acme" || r.User != "alice" {
		t.Errorf("got %+v", r)
	}
	w.refused("throttled", evil, withPassword("acme/alice", secret))    // else he would know
	w.refused("throttled", cafe, withPassword("acme/alice", secret))    // a new place
	w.admitted("alice", home, withPassword("acme/alice", secret))       // a known one
	w.admitted("bob", evil, withPassword("acme/bob", secret))           // another user
	w.admitted("alice", evil, withToken(w.token(nil)))                  // another method
	w.refused("password_wrong", home, withPassword("acme/bob", "typo")) // another user's own count

	// The known place has a count of its own.
	for range wrongPerUser {
		w.refused("password_wrong", home, withPassword("acme/alice", "typo"))
	}
	w.refused("throttled", home, withPassword("acme/alice", secret))

	w.clock.forward(time.Minute)
	w.admitted("alice", cafe, withPassword("acme/alice", secret))
	w.refused("password_wrong", evil, withPassword("acme/alice", "guess"))
}

func TestThrottleOfAnAddress(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), time.Now()
	at := func(user, host string) guesser { return guesser{user: user, address: network(host)} }
	th.right(at("acme/alice", "203.0.113.66"))
	for i := range wrongPerAddress {
		g := at("acme/u"+strconv.Itoa(i), "203.0.113.66")
		if !th.allows(g, now) {
			t.Fatalf("guess %d is throttled, want %d borne", i, wrongPerAddress)
		}
		th.wrong(g, now)
	}
	if th.allows(at("acme/fresh", "203.0.113.66"), now) {
		t.Error("one address guesses on with other users")
	}
	if !th.allows(at("acme/fresh", "203.0.113.67"), now) {
		t.Error("another address is throttled")
	}
	if !th.allows(at("acme/alice", "203.0.113.66"), now) {
		t.Error("a user who is known there is locked out by strangers")
	}
	if !th.allows(at("acme/fresh", "203.0.113.66"), now.Add(2*time.Second)) {
		t.Error("still throttled after 2 s, want one more in 0.6 s")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":    "2001:db8:1:2::/64",
		"fe80::1%eth0":           "fe80::/64",
		"":                       "",
		"in-process or whatever": "in-process or whatever",
	} {
		if got := network(host); got != want {
			t.Errorf("network(%q): got %q, want %q", host, got, want)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	m := map[string]struct{}{}
	for i := range maxThrottled + 100 {
		makeRoom(m, maxThrottled)
		m[strconv.Itoa(i)] = struct{}{}
	}
	if len(m) != maxThrottled {
		t.Errorf("got %d entries, want %d", len(m), maxThrottled)
	}
}

func TestHasher(t *testing.T) {
	t.Parallel()
	h := must(NewHasher(0))
	var _ tenant.Passwords = h
	ctx := context.Background()
	hash := must(h.Hash(ctx, secret))
	if !strings.HasPrefix(hash.Reveal(), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s…", hash.Reveal()[:20])
	}
	if again := must(h.Hash(ctx, secret)); again == hash {
		t.Error("two hashes of one password are equal")
	}
	for _, c := range []struct {
		password, hash tenant.Secret
		want           bool
	}{
		{secret, hash, true},
		{"wrong", hash, false},
		{"", hash, false},
		{"", "", false},     // the decoy is the hash of nothing
		{secret, "", false}, // nobody
		{tenant.Secret(strings.Repeat("a", maxPassword+1)), hash, false},
	} {
		if got, err := h.Matches(ctx, c.password, c.hash); err != nil || got != c.want {
			t.Errorf("matches(%q, %q): got %v, %v, want %v", c.password.Reveal(), c.hash.Reveal(), got, err, c.want)
		}
	}
	if _, err := h.Matches(ctx, secret, "plain text"); err == nil {
		t.Error("a hash that is none is no error")
	}
}

func TestHasherIsBounded(t *testing.T) {
	t.Parallel()
	h := cheapHasher(1)
	h.slots <- struct{}{} // somebody hashes
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := h.Hash(ctx, secret)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, tenant.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	if _, err := h.Matches(ctx, secret, ""); !errors.Is(err, tenant.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
	<-h.slots
	if _, err := h.Hash(context.Background(), secret); err != nil {
		t.Errorf("got %v when the slot is free", err)
	}
}

// TestPasswordsDoNotHoldUpOthers: with every slot of the hasher taken and its queue full,
// other methods are served and passwords are refused at once.
func TestPasswordsDoNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	h := cheapHasher(1)
	w := newWorld(t, func(c *Config) { c.Hasher = h; c.Workers = 1 })
	w.withHash("alice", secret)
	h.slots <- struct{}{}
	// One more than the queue holds goes in only when the worker has taken one, and waits for the slot.
	for range guessesPerSlot + 1 {
		msg := w.message(w.question(withPassword("acme/alice", secret)))
		req, drop := w.callout.decode(&nats.Msg{Data: msg.Data, Header: msg.Header, Reply: "nobody"})
		if drop != "" {
			t.Fatal(drop)
		}
		w.callout.passwords <- &guess{
			attempt: &attempt{req: req, msg: msg, at: w.clock.now(), offer: offer{method: tenant.MethodPassword}},
			guesser: guesser{user: "acme/x"}, id: &tenant.Identity{},
		}
	}
	w.refused("busy", withPassword("acme/alice", secret))
	w.admitted("alice", withToken(w.token(nil)))
	<-h.slots
	waitUntil(t, "the queue is empty", func() bool { return len(w.callout.passwords) == 0 })
	w.admitted("alice", withPassword("acme/alice", secret))
}
