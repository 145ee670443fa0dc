package accounts

import (
	"testing"
	"time"

	"parley/internal/pgtest"
)

func TestOneLeader(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	a, b := &leader{config: pool.Config().ConnConfig}, &leader{config: pool.Config().ConnConfig}
	defer a.resign()
	defer b.resign()
	elected := func(l *leader, want bool) {
		t.Helper()
		if got, err := l.elected(t.Context()); err != nil || got != want {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	}
	elected(a, true)
	elected(b, false)
	elected(a, true) // stays
	if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, int64(a.conn.PgConn().PID())); err != nil {
		t.Fatal(err)
	}
	for deadline := time.After(20 * time.Second); ; {
		if ok, err := b.elected(t.Context()); err != nil {
			t.Fatal(err)
		} else if ok {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the lead was not passed on")
		case <-time.After(5 * time.Millisecond):
		}
	}
	elected(a, false) // its connection is gone, and with it the lead
	b.resign()
	elected(a, true)
}
