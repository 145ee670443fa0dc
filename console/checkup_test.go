package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"parley/tenant"
)

// bench is a platform in a state that a test chooses; nothing is wrong with the zero one.
type bench struct {
	fakePlatform
	silent     string // a server's name
	projection tenant.Projection
	down       error
	disk       tenant.Use
	expires    time.Time
	trail      tenant.Trail
}

func (b *bench) Servers(context.Context) ([]tenant.Server, error) {
	all := []tenant.Server{{ID: "N1", Name: "n1", Answers: true}}
	if b.silent != "" {
		all = append(all, tenant.Server{Name: b.silent})
	}
	return all, b.down
}

func (b *bench) Projection(context.Context) (tenant.Projection, error) { return b.projection, b.down }
func (b *bench) Disk() (tenant.Use, error)                             { return b.disk, nil }
func (b *bench) CertificateExpires() time.Time                         { return b.expires }
func (b *bench) Trail(context.Context) (tenant.Trail, error)           { return b.trail, b.down }

func TestCheckup(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	sql := func(text string) {
		t.Helper()
		_, err := w.pool.Exec(t.Context(), text)
		w.must(err)
	}
	sql(`UPDATE accounts SET iat = 5, pushed_iat = 5`)
	sql(`DELETE FROM river_job`)
	well := bench{projection: tenant.Projection{Led: true, Streams: 2}, disk: tenant.Use{Used: 40 << 30, Limit: 100 << 30}, expires: time.Now().Add(60 * 24 * time.Hour)}
	checks := func(b bench) checkup {
		t.Helper()
		c := *w.web.c
		c.platform = &b
		out, err := c.getHealth(context.WithValue(t.Context(), callKey{}, &call{actor: tenant.Operator()}), nil)
		w.must(err)
		return *out
	}
	healthy := func(when string) {
		t.Helper()
		if got := checks(well); !got.Body.OK || len(got.Body.Checks) != 8 {
			t.Fatalf("%s: got %+v, want eight checks that are ok", when, got.Body)
		}
	}
	healthy("at first")
	const behind = `UPDATE accounts SET iat = extract(epoch FROM now()) %s WHERE tenant_id = 'acme'`
	sql(strings.Replace(behind, "%s", "- 5", 1))
	healthy("claims on their way")
	for _, c := range []struct {
		name, found, sql string
		change           func(*bench)
	}{
		{"servers", "1 of 2 don't answer: n2", "", func(b *bench) { b.silent = "n2" }},
		{"servers", "can't be found out", "", func(b *bench) { b.down = errors.New("a secret") }},
		{"projector", "nobody projects", "", func(b *bench) { b.projection.Led = false }},
		{"projector", "can't be read in std-A", "", func(b *bench) { b.projection.Behind = []string{"std-A"} }},
		{"projector", "e and 1 more", "", func(b *bench) { b.projection.Missing = []string{"a", "b", "c", "d", "e", "f"} }},
		{"audit", "entry 7 is missing; 6 entries", "", func(b *bench) { b.trail = tenant.Trail{Fault: "entry 7 is missing", Entries: 6} }},
		{"audit", "wait for their seal since 1970", "", func(b *bench) { b.trail.Unsealed = time.Unix(0, 0) }},
		{"disk", "512 MiB of 4 GiB are free", "", func(b *bench) { b.disk = tenant.Use{Used: 3<<30 + 512<<20, Limit: 4 << 30} }},
		{"disk", "4 GiB of 100 GiB are free", "", func(b *bench) { b.disk.Used = 96 << 30 }},
		{"certificate", "expires at", "", func(b *bench) { b.expires = time.Now().Add(24 * time.Hour) }},
		{"accounts", "the clock is 59m", strings.Replace(behind, "%s", "+ 3599", 1), nil}, // REV-08,
		{"accounts", "newest claims of: acme", strings.Replace(behind, "%s", "- 60", 1), nil},
		{"jobs", "1 failed, the last ones: push_claims: no server", `INSERT INTO river_job (kind, state, args, max_attempts, attempt, errors, finalized_at)
			VALUES ('push_claims', 'discarded', '{}', 3, 3, ARRAY['{"error": "no server"}'::jsonb], now())`, nil},
	} {
		b := well
		if c.sql != "" {
			sql(c.sql)
		} else {
			c.change(&b)
		}
		got, found := checks(b), false
		for _, one := range got.Body.Checks {
			if strings.Contains(one.Found+one.Remedy, "a secret") {
				t.Errorf("got %q, want no error of the inside", one.Found)
			}
			found = found || one.Name == c.name && !one.OK && one.Remedy != "" && strings.Contains(one.Found, c.found)
		}
		if got.Body.OK || !found {
			t.Errorf("%s: got %+v, want a fault %q with what to do", c.name, got.Body, c.found)
		}
	}
	gone, err := pgxpool.New(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=1")
	w.must(err)
	defer gone.Close()
	h := newHarness(t, gone)
	if got := h.do(http.MethodGet, "/v1/health", operatorToken, ""); got.status != http.StatusOK || !strings.Contains(got.body, "the database does not answer") {
		t.Errorf("without a database: got %d %s, want an answer that says so", got.status, got.body)
	}
}
