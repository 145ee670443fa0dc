package client

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"parley/tenant"
)

// Whatever comes in whatever order, each sequence is accepted once, and late exactly
// where a greater one went before.
func TestMergeAcceptsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		after := rapid.Uint64Range(0, 20).Draw(t, "after")
		m := newMerge(after)
		seen, last := map[uint64]bool{}, after
		for _, seq := range rapid.SliceOf(rapid.Uint64Range(1, 60)).Draw(t, "sequences") {
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0:
				m.broken()
			case 1:
				m.mended()
			}
			ok, late := m.accept(Message{Seq: seq})
			if want := seq > after && !seen[seq]; ok != want || late != (want && seq < last) {
				t.Fatalf("sequence %d behind %d: got %v, late %v", seq, last, ok, late)
			}
			seen[seq], last = true, max(last, seq)
		}
	})
}

// TestMergeKnowsAPostByItsID: a retry that comes after the stream has forgotten the id is stored once more.
func TestMergeKnowsAPostByItsID(t *testing.T) {
	t.Parallel()
	m := newMerge(0)
	m.mended()
	const id = "0123456789abcdef"
	for _, c := range []struct {
		name string
		msg  Message
		want bool
	}{
		{"the first", Message{Seq: 1, Sender: "alice", ID: id}, true},
		{"stored again", Message{Seq: 2, Sender: "alice", ID: id}, false},
		{"another's", Message{Seq: 3, Sender: "bob", ID: id}, true},
		{"an id that is not unique", Message{Seq: 4, Sender: "alice", ID: "1"}, true},
		{"and again", Message{Seq: 5, Sender: "alice", ID: "1"}, true},
		{"without an id", Message{Seq: 6, Sender: "alice"}, true},
		{"and again", Message{Seq: 7, Sender: "alice"}, true},
	} {
		if ok, _ := m.accept(c.msg); ok != c.want {
			t.Errorf("%s: got %v, want %v", c.name, ok, c.want)
		}
	}
	for seq := range uint64(maxSeen) {
		m.accept(Message{Seq: 100 + seq, Sender: "alice", ID: NewID()})
	}
	if len(m.posts) != maxSeen {
		t.Errorf("got %d posts remembered, want %d", len(m.posts), maxSeen)
	}
}

func TestMergeIsBounded(t *testing.T) {
	t.Parallel()
	m := newMerge(0)
	for seq := range uint64(3 * maxSeenOpen) {
		m.accept(Message{Seq: seq + 1})
	}
	if len(m.seen) != maxSeenOpen || m.cursor != 0 {
		t.Errorf("with history owed: got %d seen and cursor %d, want %d and 0", len(m.seen), m.cursor, maxSeenOpen)
	}
	m.mended()
	if len(m.seen) != maxSeen || m.cursor != 3*maxSeenOpen {
		t.Errorf("mended: got %d seen and cursor %d", len(m.seen), m.cursor)
	}
	if ok, _ := m.accept(Message{Seq: 1}); ok {
		t.Error("what was forgotten is accepted again")
	}
}

func TestLifeOfToken(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
	}
	for in, want := range map[string]time.Duration{
		"opaque":                         0,
		"a.b.c":                          0,
		token(`{}`):                      0,
		token(`{"exp":"soon"}`):          0,
		token(`{"exp":1e300}`):           0,
		token(`{"exp":1800000060}`):      time.Minute,
		token(`{"exp":1800000060.5}`):    time.Minute,
		token(`{"exp":1}`):               0,
		token(`{"exp":1800000060`) + "x": 0,
	} {
		if got := lifeOf(in, now); got != want {
			t.Errorf("lifeOf(%q): got %v, want %v", in, got, want)
		}
	}
}

func TestParseAck(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]tenant.Code{
		`{"stream":"s","seq":5}`: "",
		`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`: tenant.CodeLimitReached,
		`{"error":{"code":400,"err_code":10054,"description":"message size"}}`:           tenant.CodeTooLarge,
		`{"error":{"code":503,"err_code":10008,"description":"unavailable"}}`:            tenant.CodeUnavailable,
		`{"error":{"code":400,"err_code":10111,"description":"rollup not permitted"}}`:   tenant.CodeInvalid,
		`{"seq":0}`: tenant.CodeInternal, `{}`: tenant.CodeInternal, `null`: tenant.CodeInternal, ``: tenant.CodeInternal,
		`{"seq":5} {"seq":6}`: tenant.CodeInternal, `{"seq":-1}`: tenant.CodeInternal,
	} {
		_, err := parseAck([]byte(in))
		var got tenant.Code
		if e, ok := err.(*Error); ok { //nolint:errorlint // made in place
			got = e.Code
		}
		if got != want {
			t.Errorf("parseAck(%s): got code %q, want %q", in, got, want)
		}
	}
}

// What decodes is a message of the room, whatever was thrown at it.
func FuzzParseLive(f *testing.F) {
	f.Add("live.std.open.lobby.bob", []byte(`{"text":"hi"}`), "7", "2026-11-22T10:00:00Z")
	f.Add("live.std.open.lobby._", []byte(`{"event":"joined","user":5}`), "7", "2026-11-22T10:00:00Z")
	f.Add("live.std.direct.a.b.c", []byte(`null`), "-7", "now")
	r := Room{ID: "lobby", Kind: tenant.Open, Class: tenant.Std}
	f.Fuzz(func(t *testing.T, subject string, data []byte, seq, at string) {
		m, err := parseLive(r, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
			"Nats-Stream": {"s"}, "Nats-Subject": {"x"}, "Nats-Sequence": {seq}, "Nats-Time-Stamp": {at},
		}})
		if err == nil && (fmt.Sprintf("live.std.open.lobby.%s", m.Sender) != subject || m.Seq == 0) {
			t.Errorf("got %+v from %q", m, subject)
		}
	})
}

// A guest sees its own users by their ids and all others with their tenants, and believes the platform under
// the host's account alone.
func TestMessagesOfSharedRoomsSayWhose(t *testing.T) {
	t.Parallel()
	account := func(c string) string { return "A" + strings.Repeat(c, 55) }
	hall := Room{ID: "rhall", Kind: tenant.Shared, Class: tenant.Std, Shared: &SharedRoom{
		Address: "rhall", Tenant: "beta", Host: "acme",
		Tenants: map[string]tenant.TenantID{account("A"): "acme", account("B"): "beta", account("C"): "gamma"},
	}}
	text := `{"text":"hi","mentions":["zed","alice@acme","zed@beta","eve@gamma"]}`
	joined := `{"event":"joined","user":"zed@beta","by":"alice"}`
	for _, c := range []struct {
		name, subject, data string
		sender              string
		mentions            []string
		user, by            string
	}{
		{"own", account("B") + ".zed", text, "zed", []string{"zed", "alice@acme", "zed", "eve@gamma"}, "", ""},
		{"the host's", account("A") + ".zed", text, "zed@acme", []string{"zed@acme", "alice@acme", "zed", "eve@gamma"}, "", ""},
		{"another guest's", account("C") + ".zed", text, "zed@gamma", []string{"zed@gamma", "alice@acme", "zed", "eve@gamma"}, "", ""},
		{"event", account("A") + "._", joined, tenant.System, nil, "zed", "alice@acme"},
		{"event of a guest", account("B") + "._", joined, "", nil, "", ""},
		{"stranger", account("D") + ".zed", text, "", nil, "", ""},
		{"no account", "acme.zed", text, "", nil, "", ""},
		{"more tokens", account("A") + ".zed.x", text, "", nil, "", ""},
	} {
		m := nats.NewMsg("live.shared.rhall." + c.subject)
		m.Data = []byte(c.data)
		for k, v := range map[string]string{"Nats-Stream": "s", "Nats-Subject": "t", "Nats-Sequence": "7", "Nats-Time-Stamp": "2026-11-22T10:00:00Z"} {
			m.Header.Set(k, v)
		}
		got, err := parseLive(hall, m)
		if (err == nil) != (c.sender != "") || got.Sender != c.sender || !slices.Equal(got.Mentions, c.mentions) {
			t.Errorf("%s: got %+v, %v, want of %q with %v", c.name, got, err, c.sender, c.mentions)
		}
		if got.Event != nil && (got.Event.User != c.user || got.Event.By != c.by || !strings.Contains(string(got.Event.Raw), `"user":"`+c.user+`"`)) {
			t.Errorf("%s: got %+v, want about %s by %s", c.name, got.Event, c.user, c.by)
		}
	}
}

func TestThoseWhoWaitAskTogether(t *testing.T) {
	t.Parallel()
	var u catchUp
	rooms := func(all []*missing) (ids string) {
		for _, m := range all {
			ids += string(m.Room) + " "
		}
		return ids
	}
	add := func(r string) bool { return u.add(&missing{Room: tenant.RoomID(r)}) }
	if !add("a") {
		t.Error("the first does not ask")
	}
	if got := rooms(u.take()); got != "a " {
		t.Errorf("got %q, want the first alone", got)
	}
	for _, r := range []string{"b", "c", "b"} {
		if add(r) {
			t.Errorf("%s asks beside another", r)
		}
	}
	for _, want := range []string{"b c ", "b ", ""} { // a room once in each
		if got := rooms(u.take()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for i := range maxMissed + 1 {
		if first := add(fmt.Sprint(i)); first != (i == 0) {
			t.Errorf("%d asks: %t", i, first)
		}
	}
	for _, want := range []int{maxMissed, 1, 0} {
		if got := u.take(); len(got) != want {
			t.Errorf("got %d rooms, want %d", len(got), want)
		}
	}
}
