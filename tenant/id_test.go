package tenant

import (
	"errors"
	"strings"
	"testing"
)

// badIDs are what none of the parsers takes (ADVERSARIAL.md INP-01).
var badIDs = []string{
	"", " ", ".", "..", "a.", ".a", "a b", "a\tb", "*", ">", "a*", "a.*", "a>", "$SYS", "_", "_INBOX", "_R_", "_a", "-a", "-",
	"Alice", "aLICE", "ALICE", "alicé", "ａ", "a\x00", "a\r", "a\n", "a\x7f", "\x80", "a\xed\xa0\x80", "a/b", "../a", `a\b`, "a%2eb", "a:b", "a@b", "a;b", "a,b", "a=b", "a'b",
	"open", "announce", "private", "direct", "shared", "std", "day", "keep", "mem",
	"chat", "live", "sig", "svc", "api", "user", "void", "t",
	strings.Repeat("a", 65), strings.Repeat("a", 1000),
}

var goodIDs = []string{
	"a", "0", "alice", "a-b", "a_b", "a-", "a_", "9lives", "opens", "to", "us-er", "stdx", strings.Repeat("a", 64),
}

func TestParseIDs(t *testing.T) {
	t.Parallel()
	for _, s := range goodIDs {
		tid, err := ParseTenantID("id", s)
		if err != nil || string(tid) != s {
			t.Errorf("ParseTenantID(%q): got %q, %v", s, tid, err)
		}
		uid, err := ParseUserID("id", s)
		if err != nil || string(uid) != s {
			t.Errorf("ParseUserID(%q): got %q, %v", s, uid, err)
		}
		rid, err := ParseRoomID("id", s)
		if err != nil || string(rid) != s {
			t.Errorf("ParseRoomID(%q): got %q, %v", s, rid, err)
		}
	}
	for _, s := range badIDs {
		_, errT := ParseTenantID("f", s)
		_, errU := ParseUserID("f", s)
		_, errR := ParseRoomID("f", s)
		for name, err := range map[string]error{"ParseTenantID": errT, "ParseUserID": errU, "ParseRoomID": errR} {
			e, ok := AsError(err)
			if !ok || e.Code != CodeInvalid || e.Fields["f"] == "" {
				t.Errorf("%s(%q): got %v, want an invalid field f", name, s, err)
			}
		}
	}
}

func TestDirectRooms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b UserID
		want RoomID
	}{
		{"alice", "bob", "alice.bob"},
		{"bob", "alice", "alice.bob"},
		{"a-b", "a", "a.a-b"},
		{"a", "a0", "a.a0"},
	} {
		got, err := DirectRoomID(c.a, c.b)
		if err != nil || got != c.want {
			t.Errorf("DirectRoomID(%q, %q): got %q, %v, want %q", c.a, c.b, got, err, c.want)
		}
		parsed, err := ParseRoomID("room", string(got))
		if err != nil || parsed != got {
			t.Errorf("ParseRoomID(%q): got %q, %v", got, parsed, err)
		}
		low, high, ok := got.Pair()
		if !ok || low >= high || RoomID(low+"."+high) != got {
			t.Errorf("Pair of %q: got %q, %q, %v", got, low, high, ok)
		}
	}
	if _, err := DirectRoomID("alice", "alice"); err == nil {
		t.Error("somebody has a direct room with himself")
	}
	for _, s := range []string{"bob.alice", "alice.alice", "alice.", ".alice", "alice.bob.carol", "alice.*", "alice.open", "_.alice"} {
		if got, err := ParseRoomID("room", s); err == nil {
			t.Errorf("ParseRoomID(%q): got %q, want it refused", s, got)
		}
	}
	if _, _, ok := RoomID("town").Pair(); ok {
		t.Error("town is taken for a direct room")
	}
}

func FuzzValidID(f *testing.F) {
	for _, s := range append(badIDs, goodIDs...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidID(s) {
			return
		}
		if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) {
			t.Fatalf("%q is accepted", s)
		}
		if u, err := ParseUserID("u", s); err != nil || string(u) != s {
			t.Fatalf("%q does not round-trip: %q, %v", s, u, err)
		}
	})
}

func FuzzParseRoomID(f *testing.F) {
	for _, s := range append([]string{"alice.bob", "bob.alice", "a.b.c", "a.a"}, badIDs...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRoomID("room", s)
		if err != nil {
			return
		}
		if string(r) != s {
			t.Fatalf("%q becomes %q", s, r)
		}
		if low, high, ok := r.Pair(); ok {
			if !ValidID(string(low)) || !ValidID(string(high)) || low >= high {
				t.Fatalf("%q is accepted", s)
			}
		} else if !ValidID(s) {
			t.Fatalf("%q is accepted", s)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	err := NotFound("room")
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, NotFound("user")) {
		t.Errorf("%v: matches by code alone, want ErrNotFound only", err)
	}
	if got := err.Error(); got != "not_found: no such room" {
		t.Errorf("got %q", got)
	}
	if _, ok := AsError(errors.New("disk full")); ok {
		t.Error("any error may be read by a caller")
	}
	if e, ok := AsError(errors.Join(errors.New("x"), Invalid("limits.users", "too many"))); !ok || e.Fields["limits.users"] != "too many" {
		t.Errorf("got %v, %v", e, ok)
	}
	f := faults{}
	if f.err() != nil {
		t.Errorf("no faults: got %v", f.err())
	}
	f.add(Invalid("name", "too long"))
	if e, _ := AsError(f.err()); e == nil || e.Message != "name: too long" {
		t.Errorf("one fault: got %v", e)
	}
	f.check(true, "timezone", "unused")
	f.check(false, "limits.rooms", "negative")
	e, _ := AsError(f.err())
	if e == nil || e.Code != CodeInvalid || len(e.Fields) != 2 || e.Fields["limits.rooms"] != "negative" {
		t.Errorf("two faults: got %+v", e)
	}
}
