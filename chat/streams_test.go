package chat

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

func TestEnsureMakesOneStreamOfTheWantedConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := microseconds()
	for _, class := range tenant.Classes {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := s.chat.Ensure(s.ctx(), s.tenant, class); err != nil {
					t.Errorf("Ensure %s: %v", class, err)
				}
			})
		}
		wg.Wait()
		info, err := s.chat.streamInfo(s.ctx(), subject.Stream(s.tenant.Account, class))
		if err != nil || info == nil {
			t.Fatalf("%s: got %v, %v, want a stream", class, info, err)
		}
		c := info.Config
		if class != tenant.Std && info.State.FirstSeq < before {
			t.Errorf("%s begins at %d, want the time in microseconds", class, info.State.FirstSeq)
		}
		if c.AllowRollup || c.AllowMsgTTL || c.AllowMsgSchedules || c.AllowMsgCounter || c.AllowAtomicPublish || c.AllowBatchPublish || c.DenyDelete || c.DenyPurge {
			t.Errorf("%s: got flags %+v, want all off", class, c)
		}
		if (c.Storage == jetstream.MemoryStorage) != (class == tenant.Mem) || c.Discard != jetstream.DiscardOld || c.Duplicates != 2*time.Minute || !c.AllowDirect {
			t.Errorf("%s: got %+v", class, c)
		}
		if n := query[int](s, `SELECT count(*) FROM streams WHERE class = $1 AND last_seq = first_seq - 1`, class); n != 1 {
			t.Errorf("%s: got %d rows, want 1", class, n)
		}
	}
}

func TestEnsureMendsWhatDiffers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.post(town.by("alice"), "kept")
	name := subject.Stream(s.tenant.Account, tenant.Std)
	config := func() jetstream.StreamConfig {
		info, err := s.chat.streamInfo(s.ctx(), name)
		if err != nil || info == nil || info.State.Msgs != 1 {
			t.Fatalf("got stream %+v, %v, want one with its message", info, err)
		}
		return info.Config
	}
	drifted := config()
	drifted.AllowRollup, drifted.MaxAge = true, 0
	if _, err := s.chat.js.UpdateStream(s.ctx(), drifted); err != nil {
		t.Fatal(err)
	}
	if err := s.chat.EnsureAll(s.ctx()); err != nil {
		t.Fatalf("EnsureAll: %v", err)
	}
	if c := config(); c.AllowRollup || c.MaxAge != 90*24*time.Hour {
		t.Errorf("after EnsureAll: got %+v", c)
	}
	s.tenant.Limits.StorageBytes = 1 << 20
	s.ensure(tenant.Std)
	if c := config(); c.MaxBytes != 1<<20 {
		t.Errorf("after new limits: got %d bytes, want %d", c.MaxBytes, 1<<20)
	}
}

func TestStreamThatVanishedNeverGoesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := subject.Stream(s.tenant.Account, tenant.Std)
	// The clock has gone back: the cursor is a year ahead.
	ahead := microseconds() + uint64(365*24*time.Hour/time.Microsecond)
	s.exec(`UPDATE streams SET last_seq = $1`, ahead)
	if err := s.chat.js.DeleteStream(s.ctx(), name); err != nil {
		t.Fatal(err)
	}
	if err := s.chat.EnsureAll(s.ctx()); err != nil {
		t.Fatalf("EnsureAll: %v", err)
	}
	info, err := s.chat.streamInfo(s.ctx(), name)
	if err != nil || info == nil || info.State.FirstSeq != ahead+1 {
		t.Fatalf("got %+v, %v, want a stream that begins at %d", info, err, ahead+1)
	}
}

func TestStreamWithoutRowIsProjectedFromItsBeginning(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.exec(`DELETE FROM streams`) // killed between making the stream and its row
	s.post(town.by("alice"), "m1")
	s.run(s.chat)
	s.ensure(tenant.Std)
	s.wantTexts("town", "1:m1")
}

func TestDroppedStreamsStayGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := tenant.Tenant{ID: "other", Account: "A" + s.tenant.Account[2:] + "C"}
	s.addTenant(other)
	for _, x := range []tenant.Tenant{s.tenant, other} {
		if err := s.chat.Ensure(s.ctx(), x, tenant.Mem); err != nil {
			t.Fatal(err)
		}
	}
	s.run(s.chat)
	s.exec(`UPDATE tenants SET status = 'deleting' WHERE tenant_id = 'acme'`)
	for range 2 {
		if err := s.chat.DropStreams(s.ctx(), s.tenant); err != nil {
			t.Fatalf("DropStreams: %v", err)
		}
	}
	if err := s.chat.Ensure(s.ctx(), s.tenant, tenant.Std); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("Ensure of a deleting tenant: got %v, want not found", err)
	}
	if err := s.chat.EnsureAll(s.ctx()); err != nil {
		t.Fatal(err)
	}
	all, err := s.chat.listStreams(s.ctx())
	if err != nil || len(all) != 1 || all[subject.Stream(other.Account, tenant.Mem)] == nil {
		t.Errorf("got %d streams, %v, want only the other tenant's", len(all), err)
	}
	if n := query[int](s, `SELECT count(*) FROM streams`); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}
