package tenant_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/tenant"
)

// Whoever acts or is acted on in the truth tables.
const (
	stranger = tenant.Role("")
	invited  = tenant.Role("invited")
	banned   = tenant.Role("banned")
)

var standings = []tenant.Role{stranger, invited, banned, tenant.RoleReader, tenant.RoleMember, tenant.RoleModerator, tenant.RoleOwner}

// An operation of the truth tables, and what it makes of its target where it is allowed.
type memberOp struct {
	name string
	run  func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error
	// may says whether an actor may do it to a target; a room's owner is there in any case.
	may   func(actor, target tenant.Role) bool
	after func(target tenant.Role) tenant.Role
}

func moderates(r tenant.Role) bool { return r == tenant.RoleModerator || r == tenant.RoleOwner }

// touches is the rule of rank: a moderator touches nobody who stands as high as he.
func touches(actor, target tenant.Role) bool {
	return actor == tenant.RoleOwner || actor == tenant.RoleModerator && !moderates(target)
}

func isMember(r tenant.Role) bool { return r != stranger && r != invited && r != banned }

func always(r tenant.Role) func(tenant.Role) tenant.Role {
	return func(tenant.Role) tenant.Role { return r }
}

func setRole(to tenant.Role) memberOp {
	return memberOp{
		name: "role " + string(to),
		run: func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error {
			return firstOf2(d.SetRole(d.t.Context(), a, "acme", r, u, string(to)))
		},
		may:   func(actor, target tenant.Role) bool { return actor == tenant.RoleOwner && isMember(target) },
		after: always(to),
	}
}

func invite(as tenant.Role) memberOp {
	return memberOp{
		name: "invite " + string(as),
		run: func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error {
			return firstOf2(d.Invite(d.t.Context(), a, "acme", r, u, string(as), tenant.Term{}))
		},
		may: func(actor, target tenant.Role) bool {
			// Who is in already stays what he is, whatever the invitation says.
			return moderates(actor) && target != banned && (touches(actor, as) || isMember(target))
		},
		after: func(target tenant.Role) tenant.Role {
			if isMember(target) {
				return target
			}
			return invited
		},
	}
}

var memberOps = []memberOp{
	{
		name: "kick",
		run: func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error {
			return d.RemoveMember(d.t.Context(), a, "acme", r, u, "")
		},
		may: func(actor, target tenant.Role) bool {
			return touches(actor, target) && target != stranger && target != banned
		},
		after: always(stranger),
	},
	{
		name: "ban",
		run: func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error {
			return firstOf2(d.Ban(d.t.Context(), a, "acme", r, u, tenant.Term{}, ""))
		},
		may:   touches,
		after: always(banned),
	},
	{
		name: "unban",
		run: func(d *desk, a tenant.Actor, r tenant.RoomID, u tenant.UserID) error {
			return d.Unban(d.t.Context(), a, "acme", r, u)
		},
		may:   func(actor, target tenant.Role) bool { return moderates(actor) && target == banned },
		after: always(stranger),
	},
	setRole(tenant.RoleReader), setRole(tenant.RoleModerator), setRole(tenant.RoleOwner),
	invite(tenant.RoleMember), invite(tenant.RoleModerator), invite(tenant.RoleOwner),
}

// put makes a user what a row of the table says.
func (d *desk) put(r tenant.RoomID, u tenant.UserID, as tenant.Role) {
	d.t.Helper()
	sql := `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, 'acme', $2, $3, $4, now() FROM rooms WHERE room_id = $1
		ON CONFLICT (room_pk, user_id, tenant_id) DO UPDATE SET role = excluded.role, state = excluded.state, until = NULL`
	var err error
	switch as {
	case stranger:
		_, err = d.pool.Exec(d.t.Context(), `DELETE FROM members USING rooms WHERE rooms.room_pk = members.room_pk AND room_id = $1 AND user_id = $2`, r, u)
	case invited, banned:
		_, err = d.pool.Exec(d.t.Context(), sql, r, u, tenant.RoleMember, as)
	default:
		_, err = d.pool.Exec(d.t.Context(), sql, r, u, as, tenant.Joined)
	}
	d.must(err)
}

// is reads what a user is.
func (d *desk) is(r tenant.RoomID, u tenant.UserID) tenant.Role {
	d.t.Helper()
	all, err := d.Members(d.t.Context(), tenant.Operator(), "acme", r, tenant.Page{Limit: 1000})
	d.must(err)
	for _, m := range all {
		switch {
		case m.User != u:
		case m.State == tenant.Joined:
			return m.Role
		default:
			return tenant.Role(m.State)
		}
	}
	return stranger
}

// TestWhoMayDoWhatToWhom is the truth table of role, operation and the target's role. The room has an
// owner beside the two, so that the rule of the last owner does not meddle.
func TestWhoMayDoWhatToWhom(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	d.must(firstOf3(d.PutUser(t.Context(), tenant.Operator(), "acme", "carol", tenant.UserSpec{})))
	d.put("board", "carol", tenant.RoleOwner)
	for _, op := range memberOps {
		for _, actor := range standings {
			for _, target := range standings {
				name := fmt.Sprintf("%s by %q on %q", op.name, actor, target)
				d.put("board", "alice", actor)
				d.put("board", "bob", target)
				err := op.run(d, tenant.AsUser("acme", "alice"), "board", "bob")
				want := target
				if op.may(actor, target) {
					want = op.after(target)
				}
				if allowed := op.may(actor, target); allowed != (err == nil) {
					t.Errorf("%s: got %v, want allowed %v", name, err, allowed)
				}
				if !isMember(actor) && !errors.Is(err, tenant.ErrNotFound) {
					t.Errorf("%s: got %v, want what a room answers that does not exist", name, err)
				}
				if got := d.is("board", "bob"); got != want {
					t.Errorf("%s: made him %q, want %q", name, got, want)
				}
				if got := d.is("board", "alice"); got != actor {
					t.Errorf("%s: the actor became %q, want %q", name, got, actor)
				}
			}
		}
	}
}

// TestWhoMayChangeARoom is the same for what has no target.
func TestWhoMayChangeARoom(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx := t.Context()
	title, slow, joined := "New", 5, tenant.ReachJoined
	update := func(p tenant.RoomPatch) func(tenant.Actor) error {
		return func(a tenant.Actor) error { return firstOf2(d.UpdateRoom(ctx, a, "acme", "board", p)) }
	}
	owns := func(r tenant.Role) bool { return r == tenant.RoleOwner }
	ops := []struct {
		name string
		run  func(tenant.Actor) error
		may  func(tenant.Role) bool
	}{
		{"title", update(tenant.RoomPatch{Title: &title}), owns},
		{"history", update(tenant.RoomPatch{History: &joined}), owns},
		{"slow mode", update(tenant.RoomPatch{SlowSeconds: &slow}), moderates},
		{"slow mode and title", update(tenant.RoomPatch{SlowSeconds: &slow, Title: &title}), owns},
		{"freeze", func(a tenant.Actor) error { return firstOf2(d.FreezeRoom(ctx, a, "acme", "board", true)) }, moderates},
		{"archive", func(a tenant.Actor) error { return firstOf2(d.ArchiveRoom(ctx, a, "acme", "board", true)) }, owns},
		{"delete", func(a tenant.Actor) error { return d.DeleteRoom(ctx, a, "acme", "board") }, owns},
	}
	for _, op := range ops {
		for _, role := range standings {
			d.put("board", "alice", role)
			d.exec(`UPDATE rooms SET title = '', slow_seconds = 0, history = 'all', state = 'active' WHERE room_id = 'board'`)
			before := d.state("board")
			err := op.run(tenant.AsUser("acme", "alice"))
			if (err == nil) != op.may(role) {
				t.Errorf("%s by %q: got %v, want allowed %v", op.name, role, err, op.may(role))
			}
			if after := d.state("board"); (after != before) != op.may(role) {
				t.Errorf("%s by %q: the room became %s", op.name, role, after)
			}
		}
	}
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	_, err := d.pool.Exec(d.t.Context(), sql, args...)
	d.must(err)
}

func (d *desk) state(r tenant.RoomID) (s string) {
	d.t.Helper()
	d.must(d.pool.QueryRow(d.t.Context(), `SELECT title || '/' || slow_seconds || '/' || history || '/' || state FROM rooms WHERE room_id = $1`, r).Scan(&s))
	return s
}

func TestNobodyModeratesHimself(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, alice := t.Context(), tenant.AsUser("acme", "alice")
	d.put("board", "alice", tenant.RoleOwner)
	d.put("board", "bob", tenant.RoleModerator)
	for name, err := range map[string]error{
		"kick": d.RemoveMember(ctx, alice, "acme", "board", "alice", ""),
		"ban":  firstOf2(d.Ban(ctx, alice, "acme", "board", "alice", tenant.Term{}, "")),
	} {
		if !isCode(err, tenant.CodeInvalid) {
			t.Errorf("%s of oneself: got %v, want invalid", name, err)
		}
	}
	if err := firstOf2(d.SetRole(ctx, tenant.AsUser("acme", "bob"), "acme", "board", "bob", "owner")); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("a moderator who raises himself: got %v, want forbidden", err)
	}
	if got := d.is("board", "bob"); got != tenant.RoleModerator {
		t.Errorf("the moderator became %q", got)
	}
	// A user of another tenant has no footing here, whatever his id.
	d.must(firstOf3(d.CreateTenant(ctx, tenant.Operator(), tenant.NewTenant{ID: "globex"})))
	d.must(firstOf3(d.PutUser(ctx, tenant.Operator(), "globex", "alice", tenant.UserSpec{})))
	if err := d.DeleteRoom(ctx, tenant.AsUser("globex", "alice"), "acme", "board"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("another tenant's alice: got %v, want not found", err)
	}
	d.exec(`UPDATE users SET status = 'revoked' WHERE tenant_id = 'acme' AND user_id = 'alice'`)
	if err := d.DeleteRoom(ctx, alice, "acme", "board"); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("an owner who was revoked: got %v, want forbidden", err)
	}
}

func TestTheLastOwnerCantVanish(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op, alice := t.Context(), tenant.Operator(), tenant.AsUser("acme", "alice")
	d.must(firstOf3(d.PutUser(ctx, op, "acme", "carol", tenant.UserSpec{})))
	d.put("board", "alice", tenant.RoleOwner)
	d.put("board", "bob", tenant.RoleModerator)
	d.put("board", "carol", tenant.RoleMember)
	for name, err := range map[string]error{
		"leave":          d.Leave(ctx, "acme", "alice", "board"),
		"demote himself": firstOf2(d.SetRole(ctx, alice, "acme", "board", "alice", "member")),
	} {
		if !isCode(err, tenant.CodeConflict) {
			t.Errorf("the last owner may %s: got %v, want conflict", name, err)
		}
	}
	if got := d.is("board", "alice"); got != tenant.RoleOwner {
		t.Fatalf("alice became %q", got)
	}
	// With a second one he may go.
	d.must(firstOf2(d.SetRole(ctx, alice, "acme", "board", "carol", "owner")))
	d.must(d.Leave(ctx, "acme", "alice", "board"))

	// Where the tenant takes the last one away, the senior moderator follows him, and then nobody.
	d.must(d.DeleteUser(ctx, op, "acme", "carol"))
	if got := d.is("board", "bob"); got != tenant.RoleOwner {
		t.Errorf("the heir is %q, want owner", got)
	}
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "bob", "member")))
	if got := d.is("board", "bob"); got != tenant.RoleMember {
		t.Errorf("bob is %q, want a member of a room that is the tenant's", got)
	}
	d.must(firstOf2(d.PutMember(ctx, op, "acme", "board", "bob", "owner")))
}

// TestTwoOwnersDemoteEachOther: one of them comes first, and then the other is none any more.
func TestTwoOwnersDemoteEachOther(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	for range 10 {
		d.put("board", "alice", tenant.RoleOwner)
		d.put("board", "bob", tenant.RoleOwner)
		var wg sync.WaitGroup
		errs := make(chan error, 2)
		for _, pair := range [][2]tenant.UserID{{"alice", "bob"}, {"bob", "alice"}} {
			wg.Go(func() {
				errs <- firstOf2(d.SetRole(t.Context(), tenant.AsUser("acme", pair[0]), "acme", "board", pair[1], "member"))
			})
		}
		wg.Wait()
		one, other := <-errs, <-errs
		if (one == nil) == (other == nil) {
			t.Fatalf("got %v and %v, want one of them refused", one, other)
		}
		if a, b := d.is("board", "alice"), d.is("board", "bob"); (a == tenant.RoleOwner) == (b == tenant.RoleOwner) {
			t.Fatalf("alice is %q and bob %q, want one owner", a, b)
		}
	}
}

// TestABanHoldsAgainstAJoinAtTheSameTime: whichever comes first, the user is out.
func TestABanHoldsAgainstAJoinAtTheSameTime(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	d.put("board", "alice", tenant.RoleOwner)
	for range 10 {
		d.put("board", "bob", invited)
		var wg sync.WaitGroup
		wg.Go(func() {
			d.must(firstOf2(d.Ban(t.Context(), tenant.AsUser("acme", "alice"), "acme", "board", "bob", tenant.Term{}, "")))
		})
		wg.Go(func() { _, _ = d.Join(t.Context(), "acme", "bob", "board") }) // refused or not
		wg.Wait()
		if got := d.is("board", "bob"); got != banned {
			t.Fatalf("bob is %q, want banned", got)
		}
	}
}

func TestBansAndInvitationsEndByTheClock(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	d.must(firstOf2(d.CreateRoom(ctx, op, "acme", tenant.NewRoom{ID: "lobby", Kind: "open"})))
	d.must(firstOf2(d.Ban(ctx, op, "acme", "lobby", "bob", tenant.Term{Seconds: 3600}, "spam")))
	d.must(firstOf2(d.Invite(ctx, op, "acme", "board", "bob", "", tenant.Term{Seconds: 3600})))
	if _, err := d.Join(ctx, "acme", "bob", "lobby"); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("joining while banned: got %v, want forbidden", err)
	}
	jobs := strings.Join(d.jobs(), " ")
	if strings.Count(jobs, "end_standing") != 2 || !strings.Contains(jobs, "notify_user") {
		t.Errorf("jobs: got %q, want two ends and the word to the invited", jobs)
	}
	d.exec(`UPDATE members SET until = now() - interval '1 second' WHERE state <> 'joined'`)
	// No job has run, and the invitation counts no more than the ban.
	if _, err := d.Join(ctx, "acme", "bob", "board"); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("accepting an invitation that has ended: got %v, want not found", err)
	}
	d.taken()
	var until time.Time
	d.must(d.pool.QueryRow(ctx, `SELECT until FROM members JOIN rooms USING (room_pk) WHERE room_id = 'lobby'`).Scan(&until))
	end := tenant.EndStanding{Tenant: "acme", Room: "lobby", User: "bob", Until: until}
	d.must(d.EndStanding(ctx, end))
	d.wantDid("notify bob rights")
	d.must(d.EndStanding(ctx, end)) // again
	d.wantDid()
	d.must(firstOf2(d.Join(ctx, "acme", "bob", "lobby")))

	// A ban that was made longer meanwhile outlives the end of the first.
	d.must(firstOf2(d.Ban(ctx, op, "acme", "lobby", "bob", tenant.Term{}, "")))
	d.must(d.EndStanding(ctx, end))
	if got := d.is("lobby", "bob"); got != banned {
		t.Errorf("bob is %q, want banned", got)
	}
	for name, term := range map[string]tenant.Term{
		"seconds": {Seconds: -1}, "until": {Until: time.Now().Add(-time.Hour)}, "both": {Seconds: 1, Until: time.Now().Add(time.Hour)},
	} {
		if _, err := d.Ban(ctx, op, "acme", "lobby", "alice", term, ""); !isCode(err, tenant.CodeInvalid) {
			t.Errorf("a ban with bad %s: got %v, want invalid", name, err)
		}
	}
	if got := d.is("lobby", "alice"); got != stranger {
		t.Errorf("alice is %q, want a stranger", got)
	}
}

func TestUsersMakeRoomsWhereTheTenantLetsThem(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, alice := t.Context(), tenant.AsUser("acme", "alice")
	room, err := d.CreateRoom(ctx, alice, "acme", tenant.NewRoom{ID: "den", Kind: "private"})
	d.must(err)
	if got := d.is("den", "alice"); got != tenant.RoleOwner || room.Members != 1 {
		t.Errorf("alice is %q of %+v, want the owner and only member", got, room)
	}
	if _, err := d.CreateRoom(ctx, alice, "acme", tenant.NewRoom{ID: "den", Kind: "open"}); !isCode(err, tenant.CodeConflict) {
		t.Errorf("a taken id: got %v, want conflict", err)
	}
	if _, err := d.CreateRoom(ctx, alice, "acme", tenant.NewRoom{ID: "bob.carol", Kind: "direct"}); !isCode(err, tenant.CodeInvalid) {
		t.Errorf("somebody else's direct room: got %v, want invalid", err)
	}
	no := false
	d.must(firstOf2(d.UpdateTenant(ctx, tenant.Operator(), "acme", tenant.TenantPatch{UserRooms: &no})))
	if _, err := d.CreateRoom(ctx, alice, "acme", tenant.NewRoom{ID: "den2", Kind: "private"}); !isCode(err, tenant.CodeForbidden) {
		t.Errorf("where the tenant forbids it: got %v, want forbidden", err)
	}
	d.must(firstOf2(d.CreateRoom(ctx, tenant.Operator(), "acme", tenant.NewRoom{ID: "den2", Kind: "private"})))
}

func TestFreezeAndArchive(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx, op := t.Context(), tenant.Operator()
	steps := []struct {
		do   func(on bool) (tenant.Room, error)
		on   bool
		want tenant.RoomState
	}{
		{func(on bool) (tenant.Room, error) { return d.FreezeRoom(ctx, op, "acme", "board", on) }, true, tenant.RoomFrozen},
		{func(on bool) (tenant.Room, error) { return d.ArchiveRoom(ctx, op, "acme", "board", on) }, false, tenant.RoomFrozen},
		{func(on bool) (tenant.Room, error) { return d.ArchiveRoom(ctx, op, "acme", "board", on) }, true, tenant.RoomArchived},
		{func(on bool) (tenant.Room, error) { return d.FreezeRoom(ctx, op, "acme", "board", on) }, false, ""},
		{func(on bool) (tenant.Room, error) { return d.ArchiveRoom(ctx, op, "acme", "board", on) }, false, tenant.RoomActive},
	}
	for i, s := range steps {
		d.taken()
		before := d.state("board")
		room, err := s.do(s.on)
		switch {
		case s.want == "" && !isCode(err, tenant.CodeConflict):
			t.Errorf("step %d: got %v, want conflict", i, err)
		case s.want != "" && (err != nil || room.State != s.want):
			t.Errorf("step %d: got %s (%v), want %s", i, room.State, err, s.want)
		}
		if changed := before != d.state("board"); changed {
			d.wantDid("push")
		} else {
			d.wantDid()
		}
	}
}
