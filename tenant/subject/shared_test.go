package subject

import (
	"strings"
	"testing"

	"parley/tenant"
)

func TestSharedSubjects(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		SharedPost(account, "rk3"):                                   "t." + account + ".shared.rk3.*",
		SharedRoom("rk3"):                                            "shared.rk3.>",
		LiveSharedRoom("rk3"):                                        "live.shared.rk3.>",
		Stream(account, SharedClass(2)):                              "shared2-" + account,
		Nowhere(account, SharedClass(1)):                             "t." + account + ".shared1.void",
		Post{Kind: tenant.Shared, Room: "rk3", Sender: "bob"}.Chat(): "chat.shared.rk3.bob",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestParseShared(t *testing.T) {
	t.Parallel()
	want := Post{Kind: tenant.Shared, Room: "rk3", Sender: "bob"}
	for s, parse := range map[string]func(string) (string, Post, bool){
		"t." + account + ".shared.rk3.bob":    ParseStoredShared,
		"shared.rk3." + account + ".bob":      ParsePlatformShared,
		"live.shared.rk3." + account + ".bob": ParseLiveShared,
	} {
		if a, p, ok := parse(s); !ok || a != account || p != want {
			t.Errorf("%s: got %q, %+v, %v, want %+v", s, a, p, ok, want)
		}
		for _, wrong := range []string{
			s + ".x", strings.TrimSuffix(s, ".bob"), strings.Replace(s, "rk3", "*", 1), strings.Replace(s, "rk3", "", 1),
			strings.Replace(s, ".bob", ".>", 1), strings.Replace(s, ".bob", ".Bob", 1), strings.Replace(s, ".bob", ".bob@acme", 1),
			strings.Replace(s, account, account[1:], 1), strings.Replace(s, "shared", "private", 1), "x" + s,
		} {
			if a, p, ok := parse(wrong); ok {
				t.Errorf("%s: got %q, %+v, want it refused", wrong, a, p)
			}
		}
	}
	if _, p, ok := ParseStoredShared("t." + account + ".shared.rk3._"); !ok || p.Sender != tenant.System {
		t.Errorf("an event: got %+v, %v", p, ok)
	}
}
