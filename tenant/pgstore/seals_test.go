package pgstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

func macOf(key string) func([]byte) []byte {
	return func(content []byte) []byte {
		m := hmac.New(sha256.New, []byte(key))
		m.Write(content)
		return m.Sum(nil)
	}
}

var testMAC = macOf("of the test")

// sealAll seals what there is, and returns the newest seal.
func sealAll(t *testing.T, s *Store, mac func([]byte) []byte) tenant.TrailSeal {
	t.Helper()
	for {
		last, more, err := s.Seal(within(t), mac)
		must(t, err)
		if !more {
			return last
		}
	}
}

// wantTrail wants the trail found with so many entries and a fault that holds a part; "": none.
func wantTrail(t *testing.T, s *Store, head tenant.TrailSeal, entries int64, part string) {
	t.Helper()
	n, fault, err := s.CheckTrail(within(t), testMAC, head)
	must(t, err)
	if part == "" && (fault != "" || n != entries) || part != "" && !strings.Contains(fault, part) {
		t.Errorf("got %d entries and fault %q, want %d and %q", n, fault, entries, part)
	}
}

func TestTrailOfManyWritersIsAsItWasSealed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	tenants := []tenant.TenantID{"a", "b", "c", "d"}
	addTenant(t, s, tenants...)
	var writers sync.WaitGroup
	for _, id := range tenants {
		writers.Go(func() {
			for i := range 40 {
				err := s.Write(within(t), id, func(x tenant.Tx, _ tenant.Tenant) error {
					err := x.Audit(within(t), tenant.AuditEntry{At: at(i), Tenant: id, Actor: "operator", Action: "x", Object: fmt.Sprint(i)})
					if i%4 == 0 && err == nil {
						err = errUndone
					}
					return err
				})
				if i%4 != 0 && err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for sealing := true; sealing; {
		sealAll(t, s, testMAC)
		select {
		case <-done:
			sealing = false
		default:
		}
	}
	head := sealAll(t, s, testMAC)
	all := int64(count(t, s, `SELECT count(*) FROM audit`))
	want(t, "entries of the writers", count(t, s, `SELECT count(*) FROM audit WHERE action = 'x'`), 4*30)
	want(t, "entries that wait", count(t, s, `SELECT count(*) FROM audit_unsealed`), 0)
	wantTrail(t, s, head, all, "")
	wantTrail(t, s, tenant.TrailSeal{}, all, "")
}

var errUndone = errors.New("undone")

// With the rights of the database's owner, and without its triggers.
func tamper(t *testing.T, s *Store, statements ...string) {
	t.Helper()
	must(t, pgx.BeginFunc(within(t), s.pool, func(q pgx.Tx) error {
		for _, sql := range append([]string{`SET LOCAL session_replication_role = replica`}, statements...) {
			if _, err := q.Exec(within(t), sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	}))
}

func TestATrailThatWasTamperedWithIsFound(t *testing.T) { // CON-15
	t.Parallel()
	const one, two = `(SELECT min(audit_id) + 3 FROM audit)`, `(SELECT min(audit_id) + 4 FROM audit)`
	for name, c := range map[string]struct {
		do    []string
		fault string
	}{
		"an entry is taken out": {[]string{`DELETE FROM audit WHERE audit_id = ` + one}, "is missing"},
		"an actor is changed":   {[]string{`UPDATE audit SET actor = 'nobody' WHERE audit_id = ` + one}, "was changed"},
		"a time is changed":     {[]string{`UPDATE audit SET at = at - interval '1 s' WHERE audit_id = ` + one}, "was changed"},
		"what was is changed":   {[]string{`UPDATE audit SET before = '{}' WHERE audit_id = ` + one}, "was changed"},
		"two change places": {[]string{
			`UPDATE audit SET object = CASE audit_id WHEN ` + one + ` THEN 'user:4' ELSE 'user:3' END WHERE audit_id IN (` + one + `, ` + two + `)`,
		}, "was changed"},
		"one is put in": {[]string{
			`INSERT INTO audit (audit_id, tenant_id, at, actor, action, object) OVERRIDING SYSTEM VALUE SELECT max(audit_id) + 50, 'acme', now(), 'system', 'x', 'y' FROM audit`,
		}, "was put in"},
		"one is taken out before its seal": {[]string{
			`INSERT INTO audit_unsealed SELECT max(audit_id) + 50 FROM audit`,
		}, "wait to be sealed are missing"},
		"a seal is taken out":                      {[]string{`DELETE FROM audit_seals WHERE seal_id = 2`}, "seal 2 is missing"},
		"a seal takes the place of another":        {[]string{`UPDATE audit_seals SET mac = (SELECT mac FROM audit_seals WHERE seal_id = 2) WHERE seal_id = 1`}, "seal 1 was"},
		"a seal leaves out an entry that is gone":  {[]string{`DELETE FROM audit WHERE audit_id = ` + one, `UPDATE audit_seals SET entries = array_remove(entries, (SELECT max(audit_id) + 1 FROM audit WHERE audit_id < ` + two + `)) WHERE true`}, "was changed"},
		"the newest are taken out with their seal": {[]string{`DELETE FROM audit WHERE audit_id IN (SELECT unnest(entries) FROM audit_seals WHERE seal_id = 3)`, `DELETE FROM audit_seals WHERE seal_id = 3`}, "the trail ends before"},
		"all is taken out":                         {[]string{`TRUNCATE audit, audit_seals, audit_unsealed`}, "the trail ends before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			addTenant(t, s, "acme")
			var head tenant.TrailSeal
			for seal := range 3 {
				for i := range 4 {
					addAudit(t, s, "acme", tenant.AuditEntry{At: at(4*seal + i), Action: "user.create", Object: fmt.Sprint("user:", 4*seal+i)})
				}
				head = sealAll(t, s, testMAC)
			}
			wantTrail(t, s, head, int64(count(t, s, `SELECT count(*) FROM audit`)), "")
			tamper(t, s, c.do...)
			wantTrail(t, s, head, 0, c.fault)
		})
	}
}

func TestATrailThatIsSealedAnewWithoutTheKeyIsFound(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addAudit(t, s, "acme", tenant.AuditEntry{At: base, Action: "user.create", Object: "user:alice"})
	head := sealAll(t, s, testMAC)
	tamper(t, s, `TRUNCATE audit_seals`, `UPDATE audit SET object = 'user:bob' WHERE object = 'user:alice'`, `INSERT INTO audit_unsealed SELECT audit_id FROM audit`)
	again := sealAll(t, s, macOf("of somebody else"))
	want(t, "number of the seal", again.Number, head.Number)
	wantTrail(t, s, head, 0, "was changed")
	has, err := s.HasSeal(within(t), head)
	must(t, err)
	want(t, "has the head", has, false)
}

func TestOneSealsAtATime(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme")
	addAudit(t, s, "acme", tenant.AuditEntry{At: base, Action: "user.create", Object: "user:alice"})
	must(t, pgx.BeginFunc(within(t), s.pool, func(q pgx.Tx) error {
		if _, err := q.Exec(within(t), sqlSealLock, int64(sealLock)); err != nil {
			return err
		}
		last, more, err := s.Seal(context.WithoutCancel(within(t)), testMAC)
		want(t, "seal beside another", fmt.Sprint(last.Number, more), "0 false")
		return err
	}))
	want(t, "seal after it", sealAll(t, s, testMAC).Number, int64(1))
}
