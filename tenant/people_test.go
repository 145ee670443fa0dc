package tenant_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/internal/pgtest"
	"parley/tenant"
	"parley/tenant/pgstore"
)

// plainPasswords stands in for the hasher: the hash of a password is the password with a mark.
type plainPasswords struct{}

func (plainPasswords) Hash(_ context.Context, p tenant.Secret) (tenant.Secret, error) {
	return "hash of " + p, nil
}

func (plainPasswords) Matches(_ context.Context, p, hash tenant.Secret) (bool, error) {
	return hash == "hash of "+p, nil
}

// An office is People over a real store, with a clock of its own.
type office struct {
	*tenant.People
	t     *testing.T
	store *pgstore.Store
	mu    sync.Mutex
	now   time.Time
}

var browser = tenant.Browser{Address: "192.0.2.1", Agent: "Browser/1"}

func newOffice(t *testing.T, policy tenant.SignUp) *office {
	t.Helper()
	store, err := pgstore.New(pgstore.Config{Pool: pgtest.NewPool(t)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAccounts{fails: map[string]bool{}}
	o := &office{t: t, store: store, now: time.Now()}
	s, err := tenant.NewService(tenant.Config{Store: store, Accounts: f, Streams: f, Passwords: f, Now: o.clock})
	if err != nil {
		t.Fatal(err)
	}
	o.People, err = tenant.NewPeople(tenant.PeopleConfig{Store: store, Service: s, Passwords: plainPasswords{}, SignUp: policy, Now: o.clock})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) wait(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// join signs a person up and returns his session.
func (o *office) join(link tenant.Secret, email string) tenant.Principal {
	o.t.Helper()
	secret, err := o.Join(o.t.Context(), link, tenant.NewPerson{Email: email, Password: "correct horse"}, browser)
	o.must(err)
	return o.session(secret)
}

func (o *office) session(secret tenant.Secret) tenant.Principal {
	o.t.Helper()
	p, err := o.Principal(o.t.Context(), secret)
	o.must(err)
	return p
}

// operator signs the first operator up.
func (o *office) operator() tenant.Principal {
	o.t.Helper()
	link, _, err := o.FirstOperator(o.t.Context())
	o.must(err)
	return o.join(link, "op@example.com")
}

func (o *office) again(p tenant.Principal) tenant.Principal {
	o.t.Helper()
	fresh, err := o.store.Principal(o.t.Context(), p.Login.Hash, o.clock())
	o.must(err)
	return fresh
}

func (o *office) refused(what string, err error, want tenant.Code) {
	o.t.Helper()
	if !errors.Is(err, &tenant.Error{Code: want}) {
		o.t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func TestTheFirstOperatorsLinkWorksOnceAndExpires(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpClosed)
	ctx := t.Context()
	old, _, err := o.FirstOperator(ctx)
	o.must(err)
	late, _, err := o.FirstOperator(ctx)
	o.must(err)
	person := tenant.NewPerson{Email: " Op@Example.com ", Password: "correct horse"}
	_, err = o.Join(ctx, old, person, browser)
	o.refused("a link that another took the place of", err, tenant.CodeNotFound)
	o.wait(25 * time.Hour)
	_, err = o.Join(ctx, late, person, browser)
	o.refused("a link of yesterday", err, tenant.CodeNotFound)

	op := o.operator()
	if !op.Profile.Operator || op.Profile.Email != "op@example.com" {
		t.Errorf("got %+v, want the operator op@example.com", op.Profile)
	}
	if again, _, err := o.FirstOperator(ctx); err != nil || again != "" {
		t.Errorf("a link where there is an operator: got one (%v), want none", err)
	}
	if _, err := o.Join(ctx, "", person, browser); !errors.Is(err, &tenant.Error{Code: tenant.CodeForbidden}) {
		t.Errorf("signing up without a link: got %v, want forbidden", err)
	}
}

func TestOfTwoWhoUseALinkOneGetsIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpInvite)
	op := o.operator()
	link, _, err := o.OperatorLink(t.Context(), op, tenant.LinkFounder)
	o.must(err)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i, who := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		wg.Go(func() {
			_, errs[i] = o.Join(context.Background(), link, tenant.NewPerson{Email: who, Password: "correct horse"}, browser)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("got %d who joined by one link (%v), want 1", won, errs)
	}
	people, err := o.Profiles(t.Context(), op, tenant.Page{Limit: 10})
	if o.must(err); len(people) != 2 {
		t.Errorf("got %d people, want the operator and one", len(people))
	}
}

func TestJoinNamesEachWrongField(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	_, err := o.Join(t.Context(), "", tenant.NewPerson{Email: "no address", Name: "a\x00b", Password: "short"}, browser)
	e, ok := tenant.AsError(err)
	if !ok || e.Fields["email"] == "" || e.Fields["name"] == "" || e.Fields["password"] == "" {
		t.Errorf("got %v, want an error that names email, name and password", err)
	}
	o.join("", "ada@example.com")
	_, err = o.Join(t.Context(), "", tenant.NewPerson{Email: "ADA@example.com", Password: "correct horse"}, browser)
	if e, ok := tenant.AsError(err); !ok || e.Code != tenant.CodeConflict || e.Fields["email"] == "" {
		t.Errorf("a taken address: got %v, want a conflict at email", err)
	}
}

func TestLogins(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ctx := t.Context()
	first := o.join("", "ada@example.com")
	_, wrong := o.LogIn(ctx, "ada@example.com", "wrong horse", browser)
	_, nobody := o.LogIn(ctx, "eve@example.com", "wrong horse", browser)
	o.refused("a wrong password", wrong, tenant.CodeUnauthorized)
	if nobody == nil || nobody.Error() != wrong.Error() {
		t.Errorf("nobody's address: got %v, want the same as for a wrong password, %v", nobody, wrong)
	}
	secret, err := o.LogIn(ctx, "Ada@example.com", "correct horse", browser)
	o.must(err)
	second := o.session(secret)
	if logins, err := o.Logins(ctx, second); err != nil || len(logins) != 2 || logins[0].Agent != "Browser/1" {
		t.Errorf("got %v (%v), want both sessions", logins, err)
	}
	o.must(o.EndLogin(ctx, second, first.Login.ID))
	if _, err := o.store.Principal(ctx, first.Login.Hash, o.clock()); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("a session that was ended: got %v, want not_found", err)
	}

	renewed, err := o.ChangePassword(ctx, second, "correct horse", "battery staple", browser)
	o.must(err)
	_, err = o.Principal(ctx, secret)
	o.refused("a session from before the password", err, tenant.CodeUnauthorized)
	third := o.session(renewed)
	_, err = o.ChangePassword(ctx, third, "correct horse", "another horse", browser)
	if e, ok := tenant.AsError(err); !ok || e.Fields["old"] == "" {
		t.Errorf("a wrong old password: got %v, want an error at old", err)
	}
	o.must(o.LogOut(ctx, third))
	_, err = o.Principal(ctx, renewed)
	o.refused("a session after the logout", err, tenant.CodeUnauthorized)

	secret, err = o.LogIn(ctx, "ada@example.com", "battery staple", browser)
	o.must(err)
	for range 4 { // used each two days, it lives on
		o.wait(2 * 24 * time.Hour)
		o.session(secret)
	}
	o.wait(tenant.LoginIdle + time.Minute)
	_, err = o.Principal(ctx, secret)
	o.refused("an idle session", err, tenant.CodeUnauthorized)
	secret, err = o.LogIn(ctx, "ada@example.com", "battery staple", browser)
	o.must(err)
	for range 7 {
		o.wait(2*24*time.Hour - time.Minute)
		o.session(secret)
	}
	o.wait(8 * time.Minute)
	_, err = o.Principal(ctx, secret)
	o.refused("a session older than its life", err, tenant.CodeUnauthorized)
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ctx := t.Context()
	op, ada := o.operator(), o.join("", "ada@example.com")
	_, err := o.RecoveryLink(ctx, ada, "op@example.com")
	o.refused("a recovery by somebody who is no operator", err, tenant.CodeForbidden)
	link, err := o.RecoveryLink(ctx, op, "ada@example.com")
	o.must(err)
	_, err = o.Join(ctx, link, tenant.NewPerson{Email: "eve@example.com", Password: "correct horse"}, browser)
	o.refused("signing up by a recovery link", err, tenant.CodeNotFound)
	secret, err := o.Recover(ctx, link, "battery staple", browser)
	o.must(err)
	if who := o.session(secret).Profile.Email; who != "ada@example.com" {
		t.Errorf("got %s, want ada", who)
	}
	if _, err := o.store.Principal(ctx, ada.Login.Hash, o.clock()); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("a session from before the recovery: got %v, want not_found", err)
	}
	_, err = o.Recover(ctx, link, "battery staples", browser)
	o.refused("the link a second time", err, tenant.CodeNotFound)
}

// acme is a tenant with an owner, and the other people by their roles.
func (o *office) acme(roles ...string) (owner tenant.Principal, others map[string]tenant.Principal) {
	o.t.Helper()
	ctx := o.t.Context()
	owner = o.join("", "owner@example.com")
	_, _, err := o.Found(ctx, owner, tenant.NewTenant{ID: "acme"})
	o.must(err)
	owner = o.again(owner)
	others = map[string]tenant.Principal{}
	for _, role := range roles {
		link, _, err := o.Invite(ctx, owner.Actor(), "acme", role)
		o.must(err)
		others[role] = o.join(link, role+"@example.com")
	}
	return owner, others
}

func TestRolesInATenant(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	owner, others := o.acme("viewer", "developer", "moderator", "admin")
	others["owner"] = owner
	for role, may := range map[string][]tenant.Scope{
		"viewer":    {tenant.ScopeRead},
		"developer": {tenant.ScopeRead, tenant.ScopeChat},
		"moderator": {tenant.ScopeRead, tenant.ScopeChat, tenant.ScopeModerate},
		"admin":     {tenant.ScopeRead, tenant.ScopeChat, tenant.ScopeModerate, tenant.ScopeAdmin},
		"owner":     {tenant.ScopeRead, tenant.ScopeChat, tenant.ScopeModerate, tenant.ScopeAdmin},
	} {
		actor := others[role].Actor()
		if got, want := actor.String(), "person:"+role+"@example.com"; got != want {
			t.Errorf("the actor's name: got %s, want %s", got, want)
		}
		for _, scope := range []tenant.Scope{tenant.ScopeRead, tenant.ScopeChat, tenant.ScopeModerate, tenant.ScopeAdmin} {
			err := actor.Allow(scope, "acme")
			if slices.Contains(may, scope) {
				if err != nil {
					t.Errorf("%s for %s: got %v, want it allowed", role, scope, err)
				}
			} else {
				o.refused(role+" for "+string(scope), err, tenant.CodeForbidden)
			}
			o.refused(role+" in another tenant", actor.Allow(scope, "other"), tenant.CodeNotFound)
		}
	}
}

func TestOwnersNameOwnersAndTheLastOneStays(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ctx := t.Context()
	owner, others := o.acme("viewer", "admin")
	admin, viewer := others["admin"], others["viewer"]
	_, _, err := o.Invite(ctx, admin.Actor(), "acme", "owner")
	o.refused("an admin invites an owner", err, tenant.CodeForbidden)
	o.refused("an admin removes the owner", o.RemoveSeat(ctx, admin.Actor(), "acme", owner.Profile.ID), tenant.CodeForbidden)
	o.refused("an admin makes himself owner", o.SetSeat(ctx, admin.Actor(), "acme", admin.Profile.ID, "owner"), tenant.CodeForbidden)
	o.refused("a viewer makes himself admin", o.SetSeat(ctx, viewer.Actor(), "acme", viewer.Profile.ID, "admin"), tenant.CodeForbidden)
	o.refused("the last owner leaves", o.RemoveSeat(ctx, owner.Actor(), "acme", owner.Profile.ID), tenant.CodeConflict)
	o.refused("the last owner steps down", o.SetSeat(ctx, owner.Actor(), "acme", owner.Profile.ID, "admin"), tenant.CodeConflict)
	o.must(o.SetSeat(ctx, owner.Actor(), "acme", admin.Profile.ID, "owner"))
	o.must(o.RemoveSeat(ctx, o.again(admin).Actor(), "acme", owner.Profile.ID))
	o.must(o.RemoveSeat(ctx, viewer.Actor(), "acme", viewer.Profile.ID)) // leaves
	o.refused("one who left", o.again(viewer).Actor().Allow(tenant.ScopeRead, "acme"), tenant.CodeNotFound)
}

func TestAnInvitationTakenBackWorksNoMore(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ctx := t.Context()
	owner, _ := o.acme()
	ada := o.join("", "ada@example.com")
	secret, link, err := o.Invite(ctx, owner.Actor(), "acme", "viewer")
	o.must(err)
	o.refused("taking it back from another tenant", o.Uninvite(ctx, ada.Actor(), "acme", link.ID), tenant.CodeNotFound)
	o.must(o.Uninvite(ctx, owner.Actor(), "acme", link.ID))
	_, err = o.Accept(ctx, ada, secret)
	o.refused("an invitation taken back", err, tenant.CodeNotFound)
	secret, _, err = o.Invite(ctx, owner.Actor(), "acme", "viewer")
	o.must(err)
	_, err = o.Accept(ctx, ada, secret)
	o.must(err)
	if err := o.again(ada).Actor().Allow(tenant.ScopeRead, "acme"); err != nil {
		t.Errorf("one who accepted: got %v, want that he may read", err)
	}
	secret, _, err = o.Invite(ctx, owner.Actor(), "acme", "admin")
	o.must(err)
	_, err = o.Accept(ctx, o.again(ada), secret)
	o.refused("accepting a second seat", err, tenant.CodeConflict)
}

func TestAnOperatorVisitsWithAReasonAndForAWhile(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpOpen)
	ctx := t.Context()
	op := o.operator()
	owner, _ := o.acme()
	o.refused("an operator who did not say why", op.Actor().Allow(tenant.ScopeRead, "acme"), tenant.CodeNotFound)
	_, err := o.Enter(ctx, op, "acme", " ")
	o.refused("without a reason", err, tenant.CodeInvalid)
	_, err = o.Enter(ctx, owner, "acme", "looks around")
	o.refused("somebody who is no operator", err, tenant.CodeForbidden)
	_, err = o.Enter(ctx, op, "acme", "ticket 12")
	o.must(err)
	if err := o.again(op).Actor().Allow(tenant.ScopeAdmin, "acme"); err != nil {
		t.Errorf("a visit: got %v, want it allowed", err)
	}
	trail, err := o.store.AuditTrail(ctx, "acme", tenant.Page{Limit: 1})
	if o.must(err); len(trail) != 1 || trail[0].Action != "operator.enter" || trail[0].Actor != "operator:op@example.com" {
		t.Errorf("the tenant's trail: got %v, want the visit", trail)
	}
	o.wait(tenant.VisitLife + time.Second)
	o.refused("a visit that is over", o.again(op).Actor().Allow(tenant.ScopeRead, "acme"), tenant.CodeNotFound)
	_, err = o.Enter(ctx, op, "acme", "ticket 12")
	o.must(err)
	o.must(o.LeaveTenant(ctx, op, "acme"))
	o.refused("a visit that was ended", o.again(op).Actor().Allow(tenant.ScopeRead, "acme"), tenant.CodeNotFound)
}

func TestOnlyFoundersMakeTenants(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenant.SignUpInvite)
	ctx := t.Context()
	op := o.operator()
	if _, _, err := o.Found(ctx, op, tenant.NewTenant{ID: "acme"}); err != nil {
		t.Fatalf("an operator: got %v, want a tenant", err)
	}
	link, _, err := o.Invite(ctx, o.again(op).Actor(), "acme", "admin")
	o.must(err)
	admin := o.join(link, "admin@example.com")
	_, _, err = o.Found(ctx, admin, tenant.NewTenant{ID: "mine"})
	o.refused("one who was invited into a tenant", err, tenant.CodeForbidden)
	link, _, err = o.OperatorLink(ctx, op, tenant.LinkFounder)
	o.must(err)
	_, err = o.Accept(ctx, admin, link)
	o.must(err)
	_, _, err = o.Found(ctx, o.again(admin), tenant.NewTenant{ID: "mine", Limits: tenant.Limits{Rooms: 1_000_000}})
	o.refused("limits of one's own", err, tenant.CodeInvalid)
	if _, _, err := o.Found(ctx, o.again(admin), tenant.NewTenant{ID: "mine"}); err != nil {
		t.Errorf("a founder: got %v, want a tenant", err)
	}
}
