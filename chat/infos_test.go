package chat

import (
	"testing"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestStreamInfos(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	first := s.post(town.by("alice"), "one")
	last := s.post(town.by("alice"), "two")
	ask := func(p tenant.Page) []tenant.Stream {
		t.Helper()
		p.Limit = 10
		all, err := s.chat.StreamInfos(s.ctx(), p)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := tenant.Stream{
		Stream: subject.Stream(s.tenant.Account, tenant.Std), Tenant: "acme", Class: tenant.Std, Messages: 2, Bytes: tenant.Use{Limit: tenant.Plan.StorageBytes},
		First: first, Last: last, Projected: first - 1, Lag: last - first + 1, Replicas: 1,
	}
	check := func(when string, p tenant.Page) {
		t.Helper()
		all := ask(p)
		if len(all) == 0 || all[0].Bytes.Used == 0 && !want.Missing {
			t.Fatalf("%s: got %+v, want a stream that holds something", when, all)
		}
		all[0].Bytes.Used = 0
		if all[0] != want {
			t.Errorf("%s: got %+v, want %+v", when, all[0], want)
		}
	}
	check("before it is projected", tenant.Page{Query: "ACME"})
	s.run(s.chat)
	s.texts("town") // waits
	want.Projected, want.Lag = last, 0
	check("projected", tenant.Page{Query: "std"})
	if all := ask(tenant.Page{After: "acme/std", Query: "std"}); len(all) != 0 {
		t.Errorf("behind the last: got %+v, want none", all)
	}
	if all := ask(tenant.Page{Query: "beta"}); len(all) != 0 {
		t.Errorf("of nobody: got %+v, want none", all)
	}
	s.eventually("the sizes are written", func() bool {
		return query[int](s, `SELECT count(*) FROM stream_sizes WHERE messages = 2 AND bytes > 0`) == 1
	})
}

func TestAStreamThatIsGoneIsShownAsMissing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.room("town", tenant.Open, tenant.Std)
	name := subject.Stream(s.tenant.Account, tenant.Std)
	if err := s.chat.js.DeleteStream(s.ctx(), name); err != nil {
		t.Fatal(err)
	}
	all, err := s.chat.StreamInfos(s.ctx(), tenant.Page{Limit: 10})
	if err != nil || len(all) != 1 || all[0].Stream != name || !all[0].Missing {
		t.Errorf("got %+v, %v; want it as missing", all, err)
	}
}
