package chat

import (
	"fmt"
	"testing"

	"parley/tenant"
)

// TestWhatIsPostedAfterTheRightIsLostDoesNotCount: the connection stays open for moments after a ban, a kick
// or a revocation. What was stored before counts, whenever the projector comes to it.
func TestWhatIsPostedAfterTheRightIsLostDoesNotCount(t *testing.T) { // REV-01
	t.Parallel()
	joined := `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, tenant_id, 'bob', 'member', 'joined', now() FROM rooms WHERE room_id = 'place'`
	banned := `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, tenant_id, 'bob', 'reader', 'banned', now() FROM rooms WHERE room_id = 'place'
		ON CONFLICT (room_pk, tenant_id, user_id) DO UPDATE SET state = 'banned', role = 'reader'`
	gone := `DELETE FROM members WHERE user_id = 'bob'`
	for _, c := range []struct {
		name             string
		kind             tenant.Kind
		first, lose, get string // get: "" for a right that stays
		code             string
	}{
		{"banned from a private room", tenant.Private, joined, banned, gone + `; ` + joined, refusedMember},
		{"removed from a private room", tenant.Private, joined, gone, joined, refusedMember},
		{"a reader from now on", tenant.Private, joined, `UPDATE members SET role = 'reader' WHERE user_id = 'bob'`, `UPDATE members SET role = 'member' WHERE user_id = 'bob'`, refusedMember},
		{"a stranger banned from an open room", tenant.Open, ``, banned, gone, refusedMember},
		{"a member banned from an open room", tenant.Open, joined, banned, gone, refusedMember},
		{"no poster of announcements any more", tenant.Announce, joined + `; UPDATE members SET role = 'poster'`, `UPDATE members SET role = 'member'`, `UPDATE members SET role = 'owner'`, refusedMember},
		{"revoked", tenant.Open, ``, `UPDATE users SET status = 'revoked' WHERE user_id = 'bob'`, `UPDATE users SET status = 'active' WHERE user_id = 'bob'`, refusedRevoked},
		{"leaving an open room loses nothing", tenant.Open, joined, gone, ``, ``},
		{"another role that posts", tenant.Private, joined, `UPDATE members SET role = 'moderator' WHERE user_id = 'bob'`, ``, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			place := s.room("place", c.kind, tenant.Std)
			s.exec(c.first)
			s.post(place.by("bob"), "allowed")
			s.exec(c.lose)
			late := s.post(place.by("bob"), "late")
			s.exec(c.get)
			s.post(place.by("bob"), "again")
			refused := s.hear("bob", "refused")
			s.run(s.chat)
			if c.code == "" {
				s.wantTexts("place", "1:allowed", "2:late", "3:again")
				return
			}
			s.wantTexts("place", "1:allowed", "2:again")
			if got, want := refused(), fmt.Sprintf(`{"room":"place","seq":%d,"code":%q}`, late, c.code); got != want {
				t.Errorf("notice: got %s, want %s", got, want)
			}
		})
	}
}

// TestABanThatEndedBarsNobody: a term ends by the clock, and not when its row is taken away.
func TestABanThatEndedBarsNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	place := s.room("place", tenant.Open, tenant.Std)
	s.exec(`INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at, until)
		SELECT room_pk, tenant_id, 'bob', 'reader', 'banned', now(), now() - interval '1 millisecond' FROM rooms`)
	s.run(s.chat)
	s.post(place.by("bob"), "back")
	s.wantTexts("place", "1:back")
}
