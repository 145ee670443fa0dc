package subject

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley/tenant"
)

const account = "ACZSWBJ4SYILK7QVDELO64VX3EFWB6CXCPMEBUKA36MJJQRPXGEEQ2WJ"

func TestBuild(t *testing.T) {
	t.Parallel()
	town := Post{Class: tenant.Std, Kind: tenant.Open, Room: "town", Sender: "alice"}
	pair := Post{Class: tenant.Keep, Kind: tenant.Direct, Room: "alice.bob", Sender: "bob"}
	deal := Post{Kind: tenant.Shared, Room: "x9k2", Sender: "alice"}
	event := Post{Class: tenant.Day, Kind: tenant.Private, Room: "board", Sender: tenant.System}
	everywhere := Post{Class: Any, Kind: tenant.Announce, Room: Any, Sender: Any}
	for _, c := range []struct{ got, want string }{
		{town.Chat(), "chat.std.open.town.alice"},
		{town.Live(), "live.std.open.town.alice"},
		{town.Sig(), "sig.std.open.town.alice"},
		{town.Stored("A1"), "t.A1.std.open.town.alice"},
		{pair.Chat(), "chat.keep.direct.alice.bob.bob"},
		{pair.Stored("A1"), "t.A1.keep.direct.alice.bob.bob"},
		{deal.Chat(), "chat.shared.x9k2.alice"},
		{deal.LiveShared("A2"), "live.shared.x9k2.A2.alice"},
		{deal.Stored("A1"), "t.A1.shared.x9k2.alice"},
		{event.Live(), "live.day.private.board._"},
		{everywhere.Live(), "live.*.announce.*.*"},
		{API("alice", "whoami"), "chat.api.alice.whoami"},
		{API("alice", Any), "chat.api.alice.*"},
		{Notice("alice", "revoked"), "live.user.alice.revoked"},
		{PlatformNotice("A1", "alice", "revoked"), "live.A1.user.alice.revoked"},
		{Inbox("alice"), "_INBOX.alice"},
		{Inboxes("alice"), "_INBOX.alice.>"},
		{Stream("A1", tenant.Mem), "mem-A1"},
		{StreamSubjects("A1", tenant.Std), "t.A1.std.>"},
		{StreamLive("A1", tenant.Std), "live.A1.std.>"},
		{LiveOf(tenant.Std), "live.*.std.>"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestParse has each refused subject beside an accepted twin.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		ok   bool
	}{
		{"std.open.town.alice", true},
		{"std.open.town._", true},
		{"day.announce.news.bob", true},
		{"keep.private.board.bob", true},
		{"mem.direct.alice.bob.alice", true},
		{"mem.direct.alice.bob.bob", true},
		{"mem.direct.alice.bob._", true},

		{"mem.direct.alice.bob.mallory", false}, // a third
		{"mem.direct.bob.alice.bob", false},     // the wrong order
		{"mem.direct.bob.bob.bob", false},
		{"mem.direct.alice.bob", false},
		{"std.open.alice.bob.alice", false},
		{"std.open.town", false},
		{"std.open.town.", false},
		{"std.open..alice", false},
		{"std.open.town.alice.", false},
		{".open.town.alice", false},
		{"std..town.alice", false},
		{"open.std.town.alice", false},
		{"week.open.town.alice", false},
		{"std.public.town.alice", false},
		{"std.shared.town.alice", false},
		{"shared.x9k2.alice", false},
		{"std.open.*.alice", false},
		{"std.open.town.*", false},
		{"std.open.town.>", false},
		{"*.open.town.alice", false},
		{"std.open._.alice", false},
		{"std.open.town.__", false},
		{"std.open.town.Alice", false},
		{"std.open.to wn.alice", false},
		{"std.open.open.alice", false},
		{"std.open.town.direct", false},
		{"STD.open.town.alice", false},
		{"std.open.town\r\n.alice", false},
		{"std.open." + strings.Repeat("x", 65) + ".alice", false},
		{"std.open." + strings.Repeat("x", 64) + ".alice", true},
		{"", false},
	} {
		p, ok := ParseLive("live." + c.path)
		if ok != c.ok || ok && p.Live() != "live."+c.path {
			t.Errorf("ParseLive(%q): got %+v, %v, want %v", c.path, p, ok, c.ok)
		}
		p, ok = ParseSig("sig." + c.path)
		if ok != c.ok || ok && p.Sig() != "sig."+c.path {
			t.Errorf("ParseSig(%q): got %+v, %v, want %v", c.path, p, ok, c.ok)
		}
		a, p, ok := ParseStored("t." + account + "." + c.path)
		if ok != c.ok || ok && (a != account || p.Stored(a) != "t."+account+"."+c.path) {
			t.Errorf("ParseStored(%q): got %q, %+v, %v, want %v", c.path, a, p, ok, c.ok)
		}
		a, p, ok = ParsePlatformLive("live." + account + "." + c.path)
		if ok != c.ok || ok && a != account {
			t.Errorf("ParsePlatformLive(%q): got %q, %+v, %v, want %v", c.path, a, p, ok, c.ok)
		}
	}
}

func TestParsePrefix(t *testing.T) {
	t.Parallel()
	path := "std.open.town.alice"
	if _, ok := ParseLive("chat." + path); ok {
		t.Error("ParseLive takes chat.")
	}
	if _, ok := ParseSig("live." + path); ok {
		t.Error("ParseSig takes live.")
	}
	if _, ok := ParseLive("live"); ok {
		t.Error("ParseLive takes the bare prefix")
	}
	for _, s := range []string{
		"live." + account + "." + path, "t." + path, "t.", "t", "", "t." + account, "t." + account + ".",
		"t.*." + path, "t." + strings.ToLower(account) + "." + path, "t.U" + account[1:] + "." + path, "t." + account[1:] + "." + path,
		"t." + account[:55] + "0." + path,
	} {
		if a, p, ok := ParseStored(s); ok {
			t.Errorf("ParseStored(%q): got %q, %+v, want it refused", s, a, p)
		}
	}
}

func TestParseAPI(t *testing.T) {
	t.Parallel()
	a, u, op, ok := ParseAPI("t." + account + ".api.alice.delete_room")
	if !ok || a != account || u != "alice" || op != "delete_room" {
		t.Errorf("got %q, %q, %q, %v", a, u, op, ok)
	}
	for _, s := range []string{
		"chat.api.alice.whoami",
		"t." + account + ".api.alice",
		"t." + account + ".api.alice.",
		"t." + account + ".api.alice.*",
		"t." + account + ".api.alice.>",
		"t." + account + ".api.alice.history.x",
		"t." + account + ".api.*.history",
		"t." + account + ".api._.history",
		"t." + account + ".api.alice.who ami",
		"t." + account + ".api.alice.WHOAMI",
		"t." + account + ".api.alice." + strings.Repeat("x", 33),
		"t." + account + ".std.alice.whoami",
		"t.x.api.alice.whoami",
		"x." + account + ".api.alice.whoami",
	} {
		if _, _, _, ok := ParseAPI(s); ok {
			t.Errorf("ParseAPI(%q) is accepted", s)
		}
	}
}

func TestParseStream(t *testing.T) {
	t.Parallel()
	for _, class := range tenant.Classes {
		a, c, ok := ParseStream(Stream(account, class))
		if !ok || a != account || c != class {
			t.Errorf("%s: got %q, %q, %v", class, a, c, ok)
		}
	}
	for _, s := range []string{"", "-", "std", "std-", "-" + account, "week-" + account, "std-" + account + "-x", "std." + account, "std-x"} {
		if a, c, ok := ParseStream(s); ok {
			t.Errorf("ParseStream(%q): got %q, %q, want it refused", s, a, c)
		}
	}
}

func TestValidAccount(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		account: true, "": false, "A": false, account + "A": false, account[:55]: false,
		"B" + account[1:]: false, account[:55] + "1": false, account[:55] + ".": false, account[:55] + "*": false,
	} {
		if got := ValidAccount(s); got != want {
			t.Errorf("ValidAccount(%q): got %v, want %v", s, got, want)
		}
	}
}

var ids = rapid.Custom(func(t *rapid.T) string {
	return rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,63}`).Filter(tenant.ValidID).Draw(t, "id")
})

// Property: what Post builds of valid parts is parsed to the same parts.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Post{
			Class:  rapid.SampledFrom(tenant.Classes).Draw(t, "class"),
			Kind:   rapid.SampledFrom([]tenant.Kind{tenant.Open, tenant.Announce, tenant.Private, tenant.Direct}).Draw(t, "kind"),
			Room:   tenant.RoomID(ids.Draw(t, "room")),
			Sender: ids.Draw(t, "sender"),
		}
		tokens := 5
		if p.Kind == tenant.Direct {
			tokens = 6
			other := ids.Filter(func(s string) bool { return s != p.Sender }).Draw(t, "other")
			room, err := tenant.DirectRoomID(tenant.UserID(p.Sender), tenant.UserID(other))
			if err != nil {
				t.Fatal(err)
			}
			p.Room = room
		}
		if rapid.Bool().Draw(t, "event") {
			p.Sender = tenant.System
		}
		if got, ok := ParseLive(p.Live()); !ok || got != p {
			t.Fatalf("live: got %+v, %v, want %+v", got, ok, p)
		}
		if got, ok := ParseSig(p.Sig()); !ok || got != p {
			t.Fatalf("sig: got %+v, %v, want %+v", got, ok, p)
		}
		if a, got, ok := ParseStored(p.Stored(account)); !ok || got != p || a != account {
			t.Fatalf("stored: got %q, %+v, %v, want %+v", a, got, ok, p)
		}
		if n := strings.Count(p.Chat(), ".") + 1; n != tokens {
			t.Fatalf("%q has %d tokens, want %d", p.Chat(), n, tokens)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"t." + account + ".std.open.town.alice",
		"t." + account + ".keep.direct.alice.bob._",
		"t." + account + ".api.alice.history",
		"live." + account + ".std.private.board.bob",
		"live.std.open.town.alice", "sig.mem.announce.news.bob",
		"live.user.alice.revoked", "live.shared.x9k2." + account + ".alice",
		"std-" + account,
		"t.*.std.open.>.alice", "t..std.open.town.alice", "live.std.open.a b.c", "sig.std.open.\x00.c", "t." + account + ".std.open.town.alice\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(what, again string) {
			if again != s {
				t.Fatalf("%s: got %q back, want %q", what, again, s)
			}
			if strings.ContainsAny(s, "*> \t\r\n\x00") || strings.Contains(s, "..") {
				t.Fatalf("%s accepts %q", what, s)
			}
		}
		if a, p, ok := ParseStored(s); ok {
			check("ParseStored", p.Stored(a))
		}
		if a, p, ok := ParsePlatformLive(s); ok {
			check("ParsePlatformLive", "live."+strings.TrimPrefix(p.Stored(a), "t."))
		}
		if p, ok := ParseLive(s); ok {
			check("ParseLive", p.Live())
		}
		if p, ok := ParseSig(s); ok {
			check("ParseSig", p.Sig())
		}
		if a, u, op, ok := ParseAPI(s); ok {
			check("ParseAPI", "t."+a+strings.TrimPrefix(API(u, op), "chat"))
		}
		if a, c, ok := ParseStream(s); ok {
			check("ParseStream", Stream(a, c))
		}
	})
}
