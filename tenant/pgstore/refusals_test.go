package pgstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

func refusalOf(id tenant.TenantID, i int) tenant.Refusal {
	return tenant.Refusal{
		At: at(i), Tenant: id, User: "alice", Method: tenant.MethodToken, Address: "192.0.2.1:4711",
		Code: fmt.Sprintf("code_%d", i), Reason: "the token has expired; get a new one",
	}
}

// running runs the store's writer until the test ends or stop is called, which waits for it.
func running(t *testing.T, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: got error %v, want none", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// eventually waits until a query counts n.
func eventually(t *testing.T, s *Store, n int, sql string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		got := count(t, s, sql)
		if got == n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: got %d, want %d", sql, got, n)
		}
	}
}

func TestRefusalIsReadAsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	stop := running(t, s)
	s.Refuse(refusalOf("acme", 1))
	s.Refuse(refusalOf("other", 2))
	eventually(t, s, 2, `SELECT count(*) FROM refusals`)
	s.Refuse(refusalOf("acme", 3))
	stop() // writes what is left
	got, err := s.Refusals(within(t), "acme", tenant.Page{Limit: 10})
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("got %d refusals, want 2", len(got))
	}
	for i, n := range []int{3, 1} { // newest first
		got[i].Cursor = ""
		want(t, "refusal", got[i], refusalOf("acme", n))
	}
	want(t, "dropped", s.DroppedRefusals(), 0)
}

func TestRefusalOfATenantThatDoesNotExistIsNobodys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	running(t, s)
	s.Refuse(refusalOf("nobody", 1))
	s.Refuse(refusalOf("", 2))
	s.Refuse(refusalOf("acme", 3))
	eventually(t, s, 3, `SELECT count(*) FROM refusals`)
	want(t, "nobody's", count(t, s, `SELECT count(*) FROM refusals WHERE tenant_id = ''`), 2)
	want(t, "acme's", count(t, s, `SELECT count(*) FROM refusals WHERE tenant_id = 'acme'`), 1)
}

func TestRefusalsKeepWhateverAClientSent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	running(t, s)
	bad := refusalOf("acme", 1)
	bad.User = "a\x00b\xffc" + strings.Repeat("é", maxRefusalText)
	s.Refuse(bad)
	s.Refuse(refusalOf("acme", 2))
	eventually(t, s, 2, `SELECT count(*) FROM refusals`)
	got, err := s.Refusals(within(t), "acme", tenant.Page{Limit: 1, Query: "code_1"})
	must(t, err)
	if len(got) != 1 || !strings.HasPrefix(got[0].User, "ab\uFFFDcé") || len(got[0].User) > maxRefusalText+10 {
		t.Errorf("got %+v, want the text without what is none", got)
	}
}

func TestRefuseNeverWaits(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	const more = 10
	for i := range refusalQueue + more { // nobody reads
		s.Refuse(refusalOf("acme", i))
	}
	want(t, "dropped", s.DroppedRefusals(), more)
	stop := running(t, s)
	eventually(t, s, refusalQueue, `SELECT count(*) FROM refusals`)
	stop()
	want(t, "dropped at the end", s.DroppedRefusals(), more)
}

func TestRefusalsWaitForPostgres(t *testing.T) {
	t.Parallel()
	s, d := throughDoor(t)
	addTenant(t, s, "acme")
	warned := make(chan struct{}, 10)
	s.log = slog.New(notify{slog.DiscardHandler, warned})
	d.set(doorShut)
	stop := running(t, s)
	<-warned // the prune at the start
	s.Refuse(refusalOf("acme", 1))
	<-warned
	d.set(doorOpen)
	eventually(t, s, 1, `SELECT count(*) FROM refusals`)
	want(t, "dropped", s.DroppedRefusals(), 0)

	d.set(doorShut)
	s.Refuse(refusalOf("acme", 2))
	stop()
	want(t, "dropped at the end of a process that can't reach it", s.DroppedRefusals(), 1)
}

// notify tells of each entry of the log.
type notify struct {
	slog.Handler
	logged chan<- struct{}
}

func (notify) Enabled(context.Context, slog.Level) bool { return true }

func (n notify) Handle(context.Context, slog.Record) error {
	n.logged <- struct{}{}
	return nil
}

func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	_, err := s.pool.Exec(within(t), `INSERT INTO refusals (tenant_id, at, user_id, method, address, code, reason)
		SELECT 'acme', $1::timestamptz - i * interval '1 s', i, '', '', '', '' FROM generate_series(1, $2::int) i`, now(), refusalsKept+100)
	must(t, err)
	old, young := refusalOf("other", 0), refusalOf("other", 0)
	old.At, young.At = now().Add(-refusalAge-time.Hour), now().Add(-refusalAge+time.Hour)
	_, err = s.insertRefusals(within(t), []tenant.Refusal{old, young})
	must(t, err)

	running(t, s)
	newest := refusalOf("acme", 0)
	newest.At, newest.User = now(), "newest"
	s.Refuse(newest)
	eventually(t, s, refusalsKept, `SELECT count(*) FROM refusals WHERE tenant_id = 'acme'`)
	want(t, "the newest", count(t, s, `SELECT count(*) FROM refusals WHERE user_id = 'newest'`), 1)
	want(t, "the oldest that is left", count(t, s, `SELECT max(user_id::int) FROM refusals WHERE tenant_id = 'acme' AND user_id <> 'newest'`), refusalsKept-1)
	eventually(t, s, 1, `SELECT count(*) FROM refusals WHERE tenant_id = 'other'`)
	want(t, "the young one", count(t, s, `SELECT count(*) FROM refusals WHERE tenant_id = 'other' AND at > $1`, now().Add(-refusalAge)), 1)
}

func TestRefusalPagesLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	var batch []tenant.Refusal
	for i := range 7 {
		r := refusalOf("acme", 0) // all at one time
		r.User = fmt.Sprint(i)
		batch = append(batch, r, refusalOf("other", i))
	}
	_, err := s.insertRefusals(within(t), batch)
	must(t, err)
	seen := make(map[string]int)
	page := tenant.Page{Limit: 2}
	for range 5 {
		got, err := s.Refusals(within(t), "acme", page)
		must(t, err)
		for _, r := range got {
			seen[r.User]++
			page.After = r.Cursor
		}
	}
	want(t, "refusals", len(seen), 7)
	for user, n := range seen {
		want(t, "times of "+user, n, 1)
	}
	_, err = s.Refusals(within(t), "acme", tenant.Page{Limit: 1, After: "yesterday"})
	wantErr(t, "after", err, &tenant.Error{Code: tenant.CodeInvalid})
}
