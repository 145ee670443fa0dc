package tenant_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"parley/tenant"
)

func TestOfManyWhoUseACodeOneGetsIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ada := o.join("", "ada@example.com")
	codes, err := o.NewRecoveryCodes(t.Context(), ada, "")
	o.must(err)
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := o.RecoverByCode(context.Background(), "ada@example.com", codes[0], "battery staple", browser); err == nil {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if n := in.Load(); n != 1 {
		t.Errorf("got %d sessions of one code, want 1", n)
	}
	left, err := o.RecoveryCodes(t.Context(), ada)
	o.must(err)
	if left != 9 {
		t.Errorf("got %d codes left, want 9", left)
	}
}

// What a session has begun when it is ended must not be done after it.
func TestASessionThatHasEndedChangesNoWayIn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ada := o.join("", "ada@example.com")
	o.addPasskey(ada, "phone", 0)
	keys, err := o.Passkeys(t.Context(), ada)
	o.must(err)
	challenge, _, err := o.NewPasskeyChallenge(t.Context(), ada, "")
	o.must(err)
	o.must(o.LogOut(t.Context(), ada)) // the principal of before stands for a request that is under way
	_, err = o.ChangePassword(t.Context(), ada, "correct horse", "battery staple", browser)
	o.refused("a password", err, tenant.CodeUnauthorized)
	_, err = o.NewRecoveryCodes(t.Context(), ada, "")
	o.refused("codes", err, tenant.CodeUnauthorized)
	o.refused("the end of a passkey", o.RemovePasskey(t.Context(), ada, keys[0].ID), tenant.CodeUnauthorized)
	o.refused("a passkey", o.AddPasskey(t.Context(), ada, "", spoken{challenge: challenge, name: "other"}), tenant.CodeConflict)
	_, err = o.LogIn(t.Context(), "ada@example.com", "correct horse", browser)
	o.must(err)
}
