package grant

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestForService(t *testing.T) {
	t.Parallel()
	g := ForService("acme", "bot")
	same(t, "pub", g.Pub, []string{
		"_INBOX.>", "_R_.>", "chat.*.announce.*.bot", "chat.*.open.*.bot", "chat.*.private.*.bot", "chat.api.bot.*", "chat.shared.*.bot", "svc.*.acme.bot",
	})
	same(t, "sub", g.Sub, []string{
		"_INBOX.bot.>", "live.*.announce.*.*", "live.*.open.*.*", "live.*.private.*.*", "live.shared.*.*.*", "live.user.bot.*",
		"sig.*.announce.*.*", "sig.*.open.*.*", "sig.*.private.*.*", "svc.>",
	})
	same(t, "deny", g.SubDeny, []string{"live.> >", "sig.> >"})
}

// TestForServiceTruthTable has each refused case beside its allowed twin.
func TestForServiceTruthTable(t *testing.T) {
	t.Parallel()
	g := ForService("acme", "bot")
	for _, kind := range []tenant.Kind{tenant.Open, tenant.Announce, tenant.Private, tenant.Shared, tenant.Direct} {
		every := kind != tenant.Direct
		for _, class := range tenant.Classes {
			p := subject.Post{Class: class, Kind: kind, Room: "town"}
			live := "live." + string(class) + "." + string(kind) + ".town.alice"
			switch kind {
			case tenant.Direct:
				p.Room, live = "alice.bot", "live."+string(class)+".direct.alice.bot.alice"
			case tenant.Shared:
				live = "live.shared.town.A2.alice"
			}
			for sender, may := range map[string]bool{"bot": every, "alice": false, tenant.System: false} {
				p.Sender = sender
				if got := allows(g.Pub, p.Chat()); got != may {
					t.Errorf("post on %s: got %t, want %t", p.Chat(), got, may)
				}
			}
			if got := allows(g.Sub, live); got != every {
				t.Errorf("read %s: got %t, want %t", live, got, every)
			}
		}
	}
	for s, may := range map[string]bool{
		"chat.api.bot.history": true, "chat.api.alice.history": false,
		"_INBOX.alice.1": true, "_R_.x": true, "svc.price.acme.bot": true, "svc.price@other.acme.bot": true, "svc.price.acme.alice": false, "svc.price.other.bot": false, "live.std.open.town.bot": false, "svc.price": false,
		"sig.std.open.town.bot": false, "$JS.API.INFO": false, "chat.std.open.town.bot.x": false,
	} {
		if got := allows(g.Pub, s); got != may {
			t.Errorf("publish on %s: got %t, want %t", s, got, may)
		}
	}
	for s, may := range map[string]bool{
		"svc.price": true, "svc.price.of.tea": true, "chat.std.open.town.alice": false,
		"live.user.bot.mention": true, "live.user.alice.mention": false,
		"_INBOX.bot.1": true, "_INBOX.alice.1": false, "$SYS.REQ.USER.AUTH": false,
	} {
		if got := allows(g.Sub, s); got != may {
			t.Errorf("subscribe to %s: got %t, want %t", s, got, may)
		}
	}
}

// Property: a backend never speaks for another, hears nobody's replies or notices, and
// is offered no subject of the chat. No list is empty, doubled or unsorted.
func TestServicesKeepApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u, other := users.Draw(t, "backend"), users.Draw(t, "other")
		g := ForService("acme", u)
		for name, list := range map[string][]string{"pub": g.Pub, "sub": g.Sub} {
			if len(list) == 0 || !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Fatalf("%s: got %q, want it sorted without doubles and not empty", name, list)
			}
		}
		if u == other {
			return
		}
		for _, theirs := range []Grant{ForService("acme", other), For("acme", other, memberships.Draw(t, "rooms"), rapid.Bool().Draw(t, "restricted"))} {
			for _, p := range g.Pub {
				for _, q := range theirs.Pub {
					if p != subject.AllInboxes && p != subject.AllAnswers && overlap(p, q) {
						t.Fatalf("%s may publish %q, which overlaps %q of %s", u, p, q, other)
					}
				}
			}
		}
		for _, s := range g.Sub {
			for _, q := range []string{subject.Inboxes(other), subject.Notice(other, "*"), "chat.>", "$SYS.>", "$JS.>", "t.>"} {
				if overlap(s, q) {
					t.Fatalf("%s may subscribe %q, which overlaps %q", u, s, q)
				}
			}
			if strings.Contains(s, "direct") {
				t.Fatalf("%s may subscribe %q of direct rooms", u, s)
			}
		}
	})
}
