package tenant_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/tenant"
)

// spoken stands in for what an authenticator answers.
type spoken struct {
	challenge tenant.Secret
	name      string
	who       tenant.PersonID
	counter   uint32
	forged    bool
}

func (s spoken) Challenge() tenant.Secret { return s.challenge }
func (s spoken) Credential() []byte       { return []byte(s.name) }
func (s spoken) Person() tenant.PersonID  { return s.who }

func (s spoken) err() error {
	if s.forged {
		return errors.New("forged")
	}
	return nil
}

func (s spoken) Open(tenant.PersonID) (tenant.Passkey, error) {
	return tenant.Passkey{Credential: []byte(s.name), PublicKey: []byte("key"), Counter: s.counter}, s.err()
}

func (s spoken) Check(tenant.Passkey) (uint32, error) { return s.counter, s.err() }

func (o *office) addPasskey(p tenant.Principal, name string, counter uint32) {
	o.t.Helper()
	challenge, _, err := o.NewPasskeyChallenge(o.t.Context(), p, "correct horse")
	o.must(err)
	o.must(o.AddPasskey(o.t.Context(), p, name, spoken{challenge: challenge, name: name, counter: counter}))
}

func (o *office) challenged(s spoken) spoken {
	o.t.Helper()
	var err error
	s.challenge, err = o.PasskeyChallenge(o.t.Context())
	o.must(err)
	return s
}

func TestAChallengeIsAnsweredOnceAndInTime(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ada := o.join("", "ada@example.com")
	o.addPasskey(ada, "phone", 0)
	right := spoken{name: "phone", who: ada.Profile.ID}

	once := o.challenged(right)
	var opened atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := o.LogInByPasskey(context.Background(), once, browser); err == nil {
				opened.Add(1)
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("one answer four times at once: got %d sessions, want 1", n)
	}

	wrong := o.challenged(right)
	forged := wrong
	forged.forged = true
	_, err := o.LogInByPasskey(t.Context(), forged, browser)
	o.refused("a forged answer", err, tenant.CodeUnauthorized)
	_, err = o.LogInByPasskey(t.Context(), wrong, browser)
	o.refused("a good answer to a challenge that was answered wrongly", err, tenant.CodeUnauthorized)

	late, intime := o.challenged(right), o.challenged(right)
	o.wait(tenant.ChallengeLife - time.Second)
	_, err = o.LogInByPasskey(t.Context(), intime, browser)
	o.must(err)
	o.wait(2 * time.Second)
	_, err = o.LogInByPasskey(t.Context(), late, browser)
	o.refused("a late answer", err, tenant.CodeUnauthorized)

	adding, _, err := o.NewPasskeyChallenge(t.Context(), ada, "correct horse")
	o.must(err)
	o.must(o.LogOut(t.Context(), ada))
	err = o.AddPasskey(t.Context(), ada, "", spoken{challenge: adding, name: "other"})
	o.refused("a passkey for a session that has ended", err, tenant.CodeConflict)
}

func TestACounterGoesForward(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ada := o.join("", "ada@example.com")
	o.addPasskey(ada, "key", 7)
	for _, c := range []struct {
		counter uint32
		good    bool
	}{{7, false}, {6, false}, {0, false}, {8, true}, {8, false}, {1 << 31, true}, {1<<32 - 1, true}, {0, false}} {
		_, err := o.LogInByPasskey(t.Context(), o.challenged(spoken{name: "key", who: ada.Profile.ID, counter: c.counter}), browser)
		if c.good {
			o.must(err)
		} else {
			o.refused("a counter that does not go forward", err, tenant.CodeUnauthorized)
		}
	}
	trail, err := o.store.AuditTrail(t.Context(), "", tenant.Page{Query: "passkey.refuse", Limit: 10})
	o.must(err)
	if len(trail) != 5 || trail[0].Object != "person:ada@example.com" {
		t.Errorf("got %v, want five entries about the passkey that may be a copy", trail)
	}
	o.addPasskey(ada, "phone", 0)
	for range 3 {
		_, err := o.LogInByPasskey(t.Context(), o.challenged(spoken{name: "phone", who: ada.Profile.ID}), browser)
		o.must(err)
	}
}

func TestAPersonHasSoManyPasskeys(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ada := o.join("", "ada@example.com")
	for i := range tenant.MaxPasskeys {
		o.addPasskey(ada, string(rune('a'+i)), 0)
	}
	_, _, err := o.NewPasskeyChallenge(t.Context(), ada, "correct horse")
	o.refused("one too many", err, tenant.CodeLimitReached)
	all, err := o.Passkeys(t.Context(), ada)
	o.must(err)
	o.must(o.RemovePasskey(t.Context(), ada, all[0].ID))
	o.refused("one that is gone", o.RemovePasskey(t.Context(), ada, all[0].ID), tenant.CodeNotFound)
	o.addPasskey(ada, "another", 0)
}
