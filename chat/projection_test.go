package chat

import (
	"slices"
	"testing"
	"time"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestProjection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	name := subject.Stream(s.tenant.Account, tenant.Std)
	s.post(town.by("alice"), "one")
	ask := func() tenant.Projection {
		t.Helper()
		p, err := s.chat.Projection(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s.chat.timing.readWait = 50 * time.Millisecond
	if p := ask(); p.Led || p.Streams != 1 || !slices.Equal(p.Behind, []string{name}) || len(p.Missing) != 0 {
		t.Errorf("nobody projects: got %+v", p)
	}
	s.chat.timing.readWait = patience
	stop := s.run(s.chat)
	s.eventually("somebody projects", func() bool { return ask().Led })
	s.post(town.by("alice"), "two")
	if p := ask(); !p.Led || len(p.Behind) != 0 || len(p.Missing) != 0 {
		t.Errorf("projecting: got %+v", p)
	}
	stop()
	s.eventually("the lead ends", func() bool { return !ask().Led })
	if err := s.chat.js.DeleteStream(s.ctx(), name); err != nil {
		t.Fatal(err)
	}
	if p := ask(); !slices.Equal(p.Missing, []string{name}) {
		t.Errorf("without the stream: got %+v", p)
	}
}
