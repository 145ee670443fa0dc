package pgstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// tamperings are what somebody with all rights in the database may do to a trail. :id is an entry's, each round another's.
var tamperings = []struct{ name, sql string }{
	{"removed", `DELETE FROM audit WHERE audit_id = :id`},
	{"removed, and its seal says it never was", `WITH a AS (DELETE FROM audit WHERE audit_id = :id) UPDATE audit_seals SET entries = array_remove(entries, :id) WHERE :id = ANY (entries)`},
	{"removed, and its seal has another twice", `WITH a AS (DELETE FROM audit WHERE audit_id = :id) UPDATE audit_seals SET entries = array_replace(entries, :id, entries[1]) WHERE :id = ANY (entries)`},
	{"removed with its seal", `WITH gone AS (DELETE FROM audit_seals WHERE :id = ANY (entries) RETURNING entries) DELETE FROM audit USING gone WHERE audit_id = ANY (gone.entries)`},
	{"removed with its seal, and the others moved up", `WITH gone AS (DELETE FROM audit_seals WHERE :id = ANY (entries) RETURNING seal_id, entries), a AS (DELETE FROM audit USING gone WHERE audit_id = ANY (gone.entries))
		UPDATE audit_seals s SET seal_id = s.seal_id - 1 FROM gone WHERE s.seal_id > gone.seal_id`},
	{"removed, and another put in", `WITH a AS (DELETE FROM audit WHERE audit_id = :id)
		INSERT INTO audit (audit_id, tenant_id, at, actor, action, object) OVERRIDING SYSTEM VALUE SELECT max(audit_id) + 7, 'acme', now(), 'operator', 'x', 'y' FROM audit`},
	{"its time changed", `UPDATE audit SET at = at + interval '1 microsecond' WHERE audit_id = :id`},
	{"its time none", `UPDATE audit SET at = '-infinity' WHERE audit_id = :id`},
	{"its text moved to the field before", `UPDATE audit SET actor = actor || left(action, 1), action = substr(action, 2) WHERE audit_id = :id`},
	{"what came of it taken away", `UPDATE audit SET after = NULL WHERE audit_id = :id`},
	{"a null where nothing was", `UPDATE audit SET before = 'null' WHERE audit_id = :id`},
	{"given to another tenant", `UPDATE audit SET tenant_id = 'other' WHERE audit_id = :id`},
	{"swapped with another", `UPDATE audit a SET object = b.object FROM audit b
		WHERE (a.audit_id, b.audit_id) IN ((:id, (SELECT min(audit_id) FROM audit)), ((SELECT min(audit_id) FROM audit), :id)) AND a.object <> b.object`},
	{"another in a gap before it", `INSERT INTO audit (audit_id, tenant_id, at, actor, action, object) OVERRIDING SYSTEM VALUE
		SELECT min(x), 'acme', now(), 'operator', 'user.create', 'user:eve' FROM generate_series(1, :id) x WHERE NOT EXISTS (SELECT FROM audit WHERE audit_id = x)`},
	{"another before all", `INSERT INTO audit (audit_id, tenant_id, at, actor, action, object) OVERRIDING SYSTEM VALUE VALUES (-:id, 'acme', now(), 'operator', 'user.create', 'user:eve')`},
	{"its seal's time changed", `UPDATE audit_seals SET at = at - interval '1 day' WHERE :id = ANY (entries)`},
	{"its seal's time none", `UPDATE audit_seals SET at = 'infinity' WHERE :id = ANY (entries)`},
	{"its seal removed", `DELETE FROM audit_seals WHERE :id = ANY (entries)`},
	{"a seal made up", `INSERT INTO audit_seals SELECT seal_id + 1, at, '{:id}', mac FROM audit_seals ORDER BY seal_id DESC LIMIT 1`},
}

func TestEachTamperingIsFoundWhereverItIs(t *testing.T) { // CON-15
	t.Parallel()
	const rounds = 20
	for _, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			head := trailWithGaps(t, s)
			tamper(t, s, `CREATE TABLE kept_audit AS TABLE audit`, `CREATE TABLE kept_seals AS TABLE audit_seals`)
			// Not of the first seal, so that there is one before it, nor of the last, which the head guards.
			ids, err := list(within(t), s.pool, pgx.RowTo[int64], `SELECT unnest(entries) FROM audit_seals WHERE seal_id BETWEEN 2 AND $1`, head.Number-1)
			must(t, err)
			for range rounds {
				tamper(t, s, strings.ReplaceAll(c.sql, ":id", fmt.Sprint(ids[rand.N(len(ids))])))
				for _, known := range []tenant.TrailSeal{head, {}} { // without the file too
					if _, fault, err := s.CheckTrail(within(t), testMAC, known); err != nil || fault == "" {
						t.Fatalf("got fault %q, %v, want one", fault, err)
					}
				}
				tamper(t, s, `DELETE FROM audit`, `INSERT INTO audit OVERRIDING SYSTEM VALUE SELECT * FROM kept_audit`,
					`DELETE FROM audit_seals`, `INSERT INTO audit_seals SELECT * FROM kept_seals`)
				wantTrail(t, s, head, int64(count(t, s, `SELECT count(*) FROM audit`)), "")
			}
		})
	}
}

// trailWithGaps has ten seals of one to three entries each, and numbers without entries between them.
func trailWithGaps(t *testing.T, s *Store) (head tenant.TrailSeal) {
	t.Helper()
	addTenant(t, s, "acme")
	for i := range 10 {
		for n := range i%3 + 1 {
			addAudit(t, s, "acme", tenant.AuditEntry{At: at(i), Action: "user.create", Object: fmt.Sprint("user:", i, n), After: []byte(`{"id": 1}`)})
		}
		err := try(t, s, "acme", func(ctx context.Context, x tenant.Tx) error {
			must(t, x.Audit(ctx, tenant.AuditEntry{At: at(i), Tenant: "acme", Action: "x"}))
			return errUndone
		})
		wantErr(t, "a change that is given up", err, errUndone)
		head = sealAll(t, s, testMAC)
	}
	return head
}
