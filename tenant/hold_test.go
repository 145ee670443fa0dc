package tenant_test

import (
	"errors"
	"slices"
	"testing"

	"parley/tenant"
)

func TestHoldKeepsATenantFromBeingDeleted(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	if _, err := d.PlaceHold(ctx, op, "acme", "", ""); codeIs(err) != tenant.CodeInvalid {
		t.Errorf("a hold without a reason: got %v, want invalid", err)
	}
	if _, err := d.PlaceHold(ctx, op, "acme", "nowhere", "case 7"); codeIs(err) != tenant.CodeNotFound {
		t.Errorf("a hold of no room: got %v, want not_found", err)
	}
	for _, r := range []tenant.RoomID{"board", "", "board"} { // again changes the reason
		d.must(firstOf2(d.PlaceHold(ctx, op, "acme", r, "case 7")))
	}
	all, err := d.Holds(ctx, op, "acme")
	if err != nil || len(all) != 2 || all[0].Room != "" || all[1].Room != "board" || all[1].Reason != "case 7" {
		t.Errorf("got %+v, %v, want the tenant's hold and the room's", all, err)
	}
	if err := d.DeleteTenant(ctx, op, "acme"); codeIs(err) != tenant.CodeConflict {
		t.Errorf("delete: got %v, want conflict", err)
	}
	if row, err := d.Tenant(ctx, op, "acme"); err != nil || row.Status != tenant.Active {
		t.Errorf("got %+v, %v, want an active tenant", row, err)
	}
	d.must(d.LiftHold(ctx, op, "acme", "board"))
	if err := d.LiftHold(ctx, op, "acme", "board"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("lift twice: got %v, want not_found", err)
	}
	d.must(d.LiftHold(ctx, op, "acme", ""))
	if jobs := d.jobs(); !slices.ContainsFunc(jobs, func(j string) bool { return len(j) >= 9 && j[:9] == "drop_held" }) {
		t.Errorf("got jobs %v, want drop_held among them", jobs)
	}
	d.must(d.DeleteTenant(ctx, op, "acme"))
}

func TestErasedUserKeepsHisIDAlone(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	name, mail := "Alice Example", "alice@example.com"
	_, _, err := d.PutUser(ctx, op, "acme", "alice", tenant.UserSpec{Name: &name, ExternalID: &mail})
	d.must(err)
	if _, err := d.EraseUser(ctx, op, "acme", "nobody"); codeIs(err) != tenant.CodeNotFound {
		t.Errorf("nobody: got %v, want not_found", err)
	}
	if _, err := d.PersonErasure(ctx, op, "acme", "alice"); codeIs(err) != tenant.CodeNotFound {
		t.Errorf("before: got %v, want not_found", err)
	}
	for range 2 { // again begins again
		d.must(firstOf2(d.EraseUser(ctx, op, "acme", "alice")))
	}
	var left string
	err = d.pool.QueryRow(ctx, `SELECT concat_ws('/', name, external_id, password_hash, nkey, status) FROM users WHERE user_id = 'alice'`).Scan(&left)
	if want := "Erased user////deleted"; err != nil || left != want {
		t.Errorf("got %q, %v, want %q", left, err, want)
	}
	if e, err := d.PersonErasure(ctx, op, "acme", "alice"); err != nil || !e.FinishedAt.IsZero() || e.User != "alice" {
		t.Errorf("got %+v, %v, want one under way", e, err)
	}
	if _, err := d.User(ctx, op, "acme", "bob"); err != nil {
		t.Errorf("bob: got %v, want him untouched", err)
	}
}

func codeIs(err error) tenant.Code {
	if e, ok := tenant.AsError(err); ok {
		return e.Code
	}
	return ""
}
