package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestRefusedPostsAreLeftOutPurgedAndTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.room("frozen", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET state = 'frozen', changed_at = now() - interval '1 hour' WHERE room_id = 'frozen'`)
	s.room("later", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET state = 'frozen', changed_at = now() + interval '1 hour' WHERE room_id = 'later'`)
	s.room("gone", tenant.Open, tenant.Std)
	s.exec(`UPDATE rooms SET state = 'deleted' WHERE room_id = 'gone'`)
	s.room("quick", tenant.Open, tenant.Mem)
	s.ensure(tenant.Keep)
	std := func(kind, room, sender string) string {
		return fmt.Sprintf("t.%s.std.%s.%s.%s", s.tenant.Account, kind, room, sender)
	}
	good := `{"text":"hello"}`
	root := s.post(town.by("alice"), "root")
	at := town.by("alice").Stored(s.tenant.Account)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	cases := []struct {
		name, subject, body string
		header              nats.Header
		sender, room, code  string // code "": it counts
		silent              bool   // it does not count, and there is nobody to tell
	}{
		{name: "a room that there is", subject: at, body: good},
		{name: "everything a message may have", subject: at, body: `{"text":"t","thread":` + fmt.Sprint(root) + `,"mentions":["bob","null"],"attachments":[{"url":"https://x.example/a","name":"a","type":"text/plain","size":3}],"data":{"k":[1.5e300,null,"v"]}}`},
		{name: "data alone", subject: at, body: `{"data":{}}`},
		{name: "a short id", subject: at, body: good, header: nats.Header{nats.MsgIdHdr: {"1"}}},
		{name: "no id", subject: at, body: good, header: nats.Header{"X-Mine": {"1"}}},
		{name: "an id that no index takes", subject: at, body: good, header: nats.Header{nats.MsgIdHdr: {strings.Repeat("long", 900)}}},
		{name: "an id that no text takes", subject: at, body: good, header: nats.Header{nats.MsgIdHdr: {"0123456789abcdef\x00\xff"}}},
		{name: "stored before the room was closed", subject: std("open", "later", "alice"), body: good},
		{name: "a status of the protocol as a header", subject: at, body: good, header: nats.Header{"Status": {"503"}}},
		{name: "an event", subject: std("open", "town", "_"), body: `{"event":"pinned","seq":1}`},
		{name: "an event of a version to come", subject: std("open", "frozen", "_"), body: `{"event":"sung","song":"x"}`},

		{name: "unknown room", subject: std("open", "nowhere", "alice"), body: good, sender: "alice", room: "nowhere", code: refusedRoom},
		{name: "deleted room", subject: std("open", "gone", "alice"), body: good, sender: "alice", room: "gone", code: refusedRoom},
		{name: "frozen room", subject: std("open", "frozen", "alice"), body: good, sender: "alice", room: "frozen", code: refusedClosed},
		{name: "wrong kind", subject: std("private", "town", "alice"), body: good, sender: "alice", room: "town", code: refusedPlace},
		{name: "wrong class", subject: std("open", "quick", "alice"), body: good, sender: "alice", room: "quick", code: refusedPlace},
		{name: "unknown sender", subject: std("open", "town", "nobody"), body: good, sender: "nobody", room: "town", code: refusedSender},
		{name: "an event that is none", subject: std("open", "town", "_"), body: good, silent: true},
		{name: "an event of a room that is gone", subject: std("open", "gone", "_"), body: `{"event":"pinned"}`, silent: true},
		{name: "an event of an unknown room", subject: std("open", "nowhere", "_"), body: `{"event":"pinned"}`, silent: true},
		{name: "an event in the wrong place", subject: std("private", "town", "_"), body: `{"event":"pinned"}`, silent: true},
		{name: "an event that no column takes", subject: std("open", "town", "_"), body: `{"event":"pinned","reason":"\u0000"}`, silent: true},
		{name: "direct pair out of order", subject: std("direct", "bob.alice", "alice"), body: good, sender: "alice", room: "bob.alice", code: refusedSubject},
		{name: "direct with oneself", subject: std("direct", "alice.alice", "alice"), body: good, sender: "alice", room: "alice.alice", code: refusedSubject},
		{name: "direct of two others", subject: std("direct", "bob.carol", "alice"), body: good, sender: "alice", room: "bob.carol", code: refusedSubject},
		{name: "direct with nobody", subject: std("direct", "alice.nobody", "alice"), body: good, sender: "alice", room: "alice.nobody", code: refusedRoom},
		{name: "direct with a revoked user", subject: std("direct", "alice.rex", "alice"), body: good, sender: "alice", room: "alice.rex", code: refusedRoom},
		{name: "more tokens", subject: std("open", "town.more", "alice"), body: good, sender: "alice", room: "town.more", code: refusedSubject},
		{name: "no room", subject: "t." + s.tenant.Account + ".std.x", body: good, silent: true},

		{name: "no JSON", subject: at, body: "hello", sender: "alice", room: "town", code: refusedBody},
		{name: "empty", subject: at, body: "", sender: "alice", room: "town", code: refusedBody},
		{name: "null", subject: at, body: "null", sender: "alice", room: "town", code: refusedBody},
		{name: "nothing in it", subject: at, body: "{}", sender: "alice", room: "town", code: refusedBody},
		{name: "unknown key", subject: at, body: `{"text":"a","seq":1}`, sender: "alice", room: "town", code: refusedBody},
		{name: "doubled key", subject: at, body: `{"text":"a","text":"b"}`, sender: "alice", room: "town", code: refusedBody},
		{name: "key in another case", subject: at, body: `{"Text":"a"}`, sender: "alice", room: "town", code: refusedBody},
		{name: "trailing text", subject: at, body: good + "x", sender: "alice", room: "town", code: refusedBody},
		{name: "bad UTF-8", subject: at, body: "{\"text\":\"\xff\"}", sender: "alice", room: "town", code: refusedBody},
		{name: "an acknowledgement", subject: at, body: `{"stream":"std-A","seq":1}`, sender: "alice", room: "town", code: refusedBody},
		{name: "NUL in the text", subject: at, body: `{"text":"\u0000"}`, sender: "alice", room: "town", code: refusedBody},
		{name: "NUL in the data", subject: at, body: `{"data":{"\u0000":1}}`, sender: "alice", room: "town", code: refusedBody},
		{name: "a number beyond all columns", subject: at, body: `{"data":{"a":1e999999}}`, sender: "alice", room: "town", code: refusedBody},
		{name: "a number too small", subject: at, body: `{"data":{"a":1e-999999}}`, sender: "alice", room: "town", code: refusedBody},
		{name: "deep data", subject: at, body: `{"data":` + deep + `}`, sender: "alice", room: "town", code: refusedBody},
		{name: "data that is no object", subject: at, body: `{"data":[1]}`, sender: "alice", room: "town", code: refusedBody},
		{name: "a mention of no user", subject: at, body: `{"text":"a","mentions":["*"]}`, sender: "alice", room: "town", code: refusedBody},
		{name: "a script as attachment", subject: at, body: `{"attachments":[{"url":"javascript:alert(1)"}]}`, sender: "alice", room: "town", code: refusedBody},
		{name: "too large", subject: at, body: `{"text":"` + strings.Repeat("x", 4096) + `"}`, sender: "alice", room: "town", code: refusedSize},
		{name: "own sequence", subject: at, body: good, header: nats.Header{"Nats-Sequence": {"1"}}, sender: "alice", room: "town", code: refusedHeaders},
		{name: "own subject in lower case", subject: at, body: good, header: nats.Header{"nats-subject": {at}}, sender: "alice", room: "town", code: refusedHeaders},
		{name: "own stream", subject: at, body: good, header: nats.Header{"Nats-Stream": {"std-X"}}, sender: "alice", room: "town", code: refusedHeaders},
		{name: "own time", subject: at, body: good, header: nats.Header{"Nats-Time-Stamp": {"2020-01-01T00:00:00Z"}}, sender: "alice", room: "town", code: refusedHeaders},
	}
	notices, err := s.conn.SubscribeSync(subject.PlatformNotice(s.tenant.Account, "*", "refused"))
	if err != nil {
		t.Fatal(err)
	}
	for _, live := range []bool{false, true} {
		if live {
			s.run(s.chat) // what was posted before comes from the stream, the rest live
		}
		want, accepted := map[string]string{}, map[uint64]string{}
		var refused []uint64
		for _, c := range cases {
			h := nats.Header{nats.MsgIdHdr: {s.newID()}}
			if c.header != nil {
				h = c.header
			}
			if live && h.Get(nats.MsgIdHdr) != "" && c.header != nil {
				h = nats.Header{nats.MsgIdHdr: {"live " + h.Get(nats.MsgIdHdr)}}
			}
			seq := s.store(c.subject, c.body, h).Seq
			if c.code != "" {
				want[fmt.Sprintf("%s %s %d %s", c.sender, c.room, seq, c.code)] = c.name
			}
			if c.code == "" && !c.silent {
				accepted[seq] = c.name
			} else {
				refused = append(refused, seq)
			}
		}
		if !live {
			s.run(s.chat)
		}
		for len(want) > 0 {
			m, err := notices.NextMsgWithContext(s.ctx())
			if err != nil {
				t.Fatalf("waiting for notices %v: %v", want, err)
			}
			var n refusedNotice
			if err = json.Unmarshal(m.Data, &n); err != nil {
				t.Fatal(err)
			}
			delete(want, fmt.Sprintf("%s %s %d %s", strings.Split(m.Subject, ".")[3], n.Room, n.Seq, n.Code))
		}
		for seq, name := range accepted {
			if n := query[int](s, `SELECT count(*) FROM messages WHERE seq = $1`, seq); n != 1 {
				s.eventually(name+" is projected", func() bool { return query[int](s, `SELECT count(*) FROM messages WHERE seq = $1`, seq) == 1 })
			}
			if _, err := s.chat.leaderGet(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), seq); err != nil {
				t.Errorf("%s: got %v, want it still in the stream", name, err)
			}
		}
		s.eventually("all are purged", func() bool { return query[int](s, `SELECT count(*) FROM refused_posts`) == 0 })
		for _, seq := range refused {
			if n := query[int](s, `SELECT count(*) FROM messages WHERE seq = $1`, seq); n != 0 {
				t.Errorf("a refused message of sequence %d was projected", seq)
			}
			if _, err := s.chat.leaderGet(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std), seq); !isJS(err, jsNoMessage) {
				t.Errorf("the refused message %d: got %v, want it purged", seq, err)
			}
		}
	}
	if n := query[int](s, `SELECT count(*) FROM messages`); n != 23 {
		t.Errorf("got %d messages, want the root and the 22 that count", n)
	}
}

// A message that passes the rules and that Postgres refuses all the same must not stop its stream.
func TestPoisonedMessageDoesNotStopItsStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.exec(`ALTER TABLE messages ADD CHECK (text <> 'poison')`)
	for i, text := range []string{"m1", "m2", "poison", "m3", "poison", "m4"} {
		if i == 3 {
			s.post(town.by("bob"), "poison")
		}
		s.post(town.by("alice"), text)
	}
	s.run(s.chat)
	s.wantTexts("town", numbered(4)...)
	s.eventually("the poisoned ones are purged", func() bool {
		info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, tenant.Std))
		return err == nil && info.State.Msgs == 4
	})
}

func TestJunkOnLiveSubjectsIsNotBelieved(t *testing.T) { // IDN-04
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.post(town.by("alice"), "m1")
	s.wantTexts("town", "1:m1")
	stored := town.by("bob").Stored(s.tenant.Account)
	live := "live." + strings.TrimPrefix(stored, "t.")
	next := fmt.Sprint(query[uint64](s, `SELECT last_seq FROM streams`) + 1)
	full := func() nats.Header {
		return nats.Header{"Nats-Stream": {"std-" + s.tenant.Account}, "Nats-Subject": {stored}, "Nats-Sequence": {next}, "Nats-Time-Stamp": {"2026-11-22T10:00:00Z"}}
	}
	spoils := []func(h nats.Header){
		func(h nats.Header) { h.Del("Nats-Stream") },
		func(h nats.Header) { h.Add("Nats-Sequence", next) },
		func(h nats.Header) { h.Add("nats-sequence", next) },
		func(h nats.Header) { h.Set("Nats-Sequence", "-1") },
		func(h nats.Header) { h.Set("Nats-Subject", "t."+s.tenant.Account+".std.open.town.alice") },
		func(h nats.Header) { h.Set("Nats-Stream", "mem-"+s.tenant.Account) },
		func(h nats.Header) { h.Set("Nats-Time-Stamp", "yesterday") },
	}
	for i, spoil := range spoils {
		h := full()
		spoil(h)
		if _, _, ok := fromLive(&nats.Msg{Subject: live, Header: h, Data: []byte(`{"text":"forged"}`)}); ok {
			t.Errorf("case %d: believed", i)
		}
		if err := s.conn.PublishMsg(&nats.Msg{Subject: live, Header: h, Data: []byte(`{"text":"forged"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, ok := fromLive(&nats.Msg{Subject: live, Header: full()}); !ok {
		t.Error("the server's own headers are not believed")
	}
	s.post(town.by("alice"), "m2")
	s.wantTexts("town", "1:m1", "2:m2")
	s.eventually("all junk is counted", func() bool { return testutil.ToFloat64(s.chat.metrics.junk) == float64(len(spoils)) })
}
