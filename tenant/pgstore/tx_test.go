package pgstore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"parley/tenant"
)

func TestWritesOfOneTenantComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	const writers, each = 4, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				ctx := within(t)
				err := s.Write(ctx, "acme", func(x tenant.Tx, row tenant.Tenant) error {
					row.Limits.Users++
					return x.UpdateTenant(ctx, row)
				})
				if err != nil {
					t.Errorf("write: got error %v, want none", err)
				}
			}
		})
	}
	all.Wait()
	got, err := s.Tenant(within(t), "acme")
	must(t, err)
	want(t, "increments", got.Limits.Users-tenantOf("acme").Limits.Users, writers*each)
}

func TestWriteHoldsItsTenantAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	nothing := func(tenant.Tx, tenant.Tenant) error { return nil }
	must(t, s.Write(within(t), "acme", func(tenant.Tx, tenant.Tenant) error {
		if err := s.Write(within(t), "other", nothing); err != nil {
			t.Errorf("another tenant meanwhile: got error %v, want none", err)
		}
		if _, err := s.Tenant(within(t), "acme"); err != nil {
			t.Errorf("reading meanwhile: got error %v, want none", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantErr(t, "the same tenant meanwhile", s.Write(short, "acme", nothing), tenant.ErrUnavailable)
		return nil
	}))
	must(t, s.Write(within(t), "acme", nothing))
}

func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	own := errors.New("own")
	job := tenant.SweepUser{Tenant: "acme", User: "alice"}
	change := func(ctx context.Context, x tenant.Tx) error {
		if err := x.PutUser(ctx, userOf("acme", "alice")); err != nil {
			return err
		}
		return x.Enqueue(ctx, job, time.Time{})
	}
	err := try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { return errors.Join(change(ctx, x), own) })
	wantErr(t, "fn's error", err, own)
	func() {
		defer func() { want(t, "panic", recover(), any("boom")) }()
		_ = try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error { panic("boom") })
	}()
	want(t, "connections in use", s.pool.Stat().AcquiredConns(), 0)
	want(t, "users", count(t, s, `SELECT count(*) FROM users`), 0)
	want(t, "jobs", count(t, s, `SELECT count(*) FROM river_job`), 0)

	write(t, s, "acme", change)
	want(t, "users", count(t, s, `SELECT count(*) FROM users`), 1)
	want(t, "jobs", count(t, s, `SELECT count(*) FROM river_job`), 1)
}

func TestEnqueue(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	write(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
		for _, j := range []tenant.Job{
			tenant.PushClaims{Tenant: "acme"},
			tenant.EnsureStream{Tenant: "acme", Class: tenant.Day},
			tenant.SweepUser{Tenant: "acme", User: "alice"},
			tenant.SweepTenant{Tenant: "acme"},
			tenant.DropTenant{Tenant: "acme"},
		} {
			if err := x.Enqueue(ctx, j, time.Time{}); err != nil {
				return err
			}
		}
		return x.Enqueue(ctx, tenant.RefreshUser{Tenant: "acme", User: "alice", Change: tenant.Change{Room: "r", Lost: true}}, later)
	})
	want(t, "jobs that run at once", count(t, s, `SELECT count(*) FROM river_job WHERE state = 'available' AND queue = 'default' AND max_attempts > 1`), 5)
	want(t, "class", count(t, s, `SELECT count(*) FROM river_job WHERE kind = 'ensure_stream' AND args = '{"tenant": "acme", "class": "day"}'`), 1)
	want(t, "jobs for later", count(t, s, `SELECT count(*) FROM river_job WHERE state = 'scheduled' AND scheduled_at = $1
		AND kind = 'refresh_user' AND args->'change'->>'room' = 'r'`, later), 1)
}

// raise makes the first n updates of tenants fail with an SQLSTATE. A sequence counts them,
// because a rollback leaves it alone.
func raise(t *testing.T, s *Store, state string, n int) {
	t.Helper()
	_, err := s.pool.Exec(within(t), `CREATE SEQUENCE tries`)
	must(t, err)
	_, err = s.pool.Exec(within(t), `CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('tries') <= TG_ARGV[0]::int THEN RAISE EXCEPTION 'fault' USING ERRCODE = TG_ARGV[1]; END IF;
			RETURN NEW;
		END $$`)
	must(t, err)
	// A CREATE TRIGGER takes no parameters.
	var sql string
	must(t, s.pool.QueryRow(within(t), `SELECT format('CREATE TRIGGER fault BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION fault(%L, %L)', $1::int, $2::text)`,
		n, state).Scan(&sql))
	_, err = s.pool.Exec(within(t), sql)
	must(t, err)
}

func TestWriteIsRunAgainAfterASerializationFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, state string
		faults      int
		runs        int
		err         error
		other       bool // an error that is no tenant.Error
	}{
		{"serialization", stateSerialization, 2, 3, nil, false},
		{"deadlock", stateDeadlock, 1, 2, nil, false},
		{"for ever", stateSerialization, 100, maxTries, tenant.ErrUnavailable, false},
		{"another fault", "22012", 1, 1, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			addTenant(t, s, "acme")
			raise(t, s, c.state, c.faults)
			runs := 0
			err := try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
				runs++
				if err := x.PutUser(ctx, userOf("acme", "alice")); err != nil {
					return err
				}
				return errors.Join(x.UpdateTenant(ctx, tenantOf("acme"))) // as callers wrap it
			})
			want(t, "runs", runs, c.runs)
			users := 1
			switch {
			case c.other:
				users = 0
				_, readable := tenant.AsError(err)
				want(t, "an error", err != nil, true)
				want(t, "an error for people", readable, false)
			case c.err != nil:
				users = 0
				wantErr(t, "Write", err, c.err)
			default:
				must(t, err)
			}
			want(t, "users", count(t, s, `SELECT count(*) FROM users`), users)
		})
	}
}

func TestTwoWritesInADeadlockBothEnd(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "other")
	var met, all sync.WaitGroup
	met.Add(2)
	for own, foreign := range map[tenant.TenantID]tenant.TenantID{"acme": "other", "other": "acme"} {
		all.Go(func() {
			first := true
			ctx := within(t)
			err := s.Write(ctx, own, func(x tenant.Tx, _ tenant.Tenant) error {
				if first {
					first = false
					met.Done()
					met.Wait()
				}
				return x.UpdateTenant(ctx, tenantOf(foreign))
			})
			if err != nil {
				t.Errorf("write of %s: got error %v, want none", own, err)
			}
		})
	}
	all.Wait()
}
