package chat

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// hall is a shared room of acme's, with alice in it, and the tenant beta with its user zed.
type hall struct {
	*site
	beta tenant.Tenant
}

const hallAddress = "rhall"

func newHall(t *testing.T) *hall {
	t.Helper()
	s := newSite(t)
	h := &hall{site: s, beta: tenant.Tenant{ID: "beta", Account: "A" + strings.Repeat("C", 55)}}
	s.addTenant(h.beta)
	for _, u := range []string{"zed", "alice"} {
		s.exec(`INSERT INTO users (tenant_id, user_id, kind, name, status, created_at) VALUES ('beta', $1, 'person', $1, 'active', now())`, u)
	}
	s.exec(`INSERT INTO rooms (tenant_id, room_id, address, kind, class, title, created_at, changed_at)
		VALUES ('acme', 'hall', $1, 'shared', 'shared1', 'Hall', now(), now())`, hallAddress)
	s.exec(`INSERT INTO shares (share_id, room_pk, host, guest, post, history, status, offered_at, offered_by, accepted_at)
		SELECT 's1', room_pk, 'acme', 'beta', true, 'all', 'accepted', now(), 'test', now() FROM rooms WHERE room_id = 'hall'`)
	s.member("hall", "alice", tenant.RoleMember, tenant.Joined)
	h.guest("zed", tenant.RoleMember)
	h.settle()
	return h
}

func (h *hall) guest(u string, role tenant.Role) {
	h.t.Helper()
	h.exec(`INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
		SELECT room_pk, 'beta', $1, $2, 'joined', now() FROM rooms WHERE room_id = 'hall'`, u, role)
}

func (h *hall) settle() {
	h.t.Helper()
	if err := h.chat.EnsureShared(h.ctx(), h.tenant); err != nil {
		h.t.Fatalf("EnsureShared: %v", err)
	}
}

// at is where a user posts, as his account's import has it.
func at(account, user string) string {
	return subject.Post{Kind: tenant.Shared, Room: hallAddress, Sender: user}.Stored(account)
}

// silent reports whether nobody answers a post, so that nothing is stored.
func (h *hall) silent(to string) bool {
	h.t.Helper()
	_, err := h.conn.RequestWithContext(h.ctx(), to, []byte(`{"text":"x"}`))
	return errors.Is(err, nats.ErrNoResponders)
}

func (h *hall) senders() []string {
	return query[[]string](h.site, `SELECT coalesce(array_agg(sender || ': ' || text ORDER BY n), '{}') FROM messages JOIN rooms USING (room_pk) WHERE room_id = 'hall'`)
}

func TestSharedRoom(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	acme, beta := h.tenant.Account, h.beta.Account
	live, err := h.conn.SubscribeSync(subject.SharedLive)
	if err != nil {
		t.Fatal(err)
	}
	h.run(h.chat)
	last := uint64(0)
	for _, p := range []struct{ account, user, text string }{
		{acme, "alice", "from the host"},
		{beta, "zed", "from the guest"},
		{beta, "alice", "no member"},
		{acme, "bob", "no member"},
		{acme, "_", "no event"},
		{beta, "_", "no event"},
		{beta, "nobody", "no user"},
	} {
		last = h.store(at(p.account, p.user), `{"text":"`+p.text+`"}`, nats.Header{nats.MsgIdHdr: {h.newID()}}).Seq
	}
	if err := h.chat.caughtUp(h.ctx(), subject.Stream(acme, "shared1")); err != nil {
		t.Fatal(err)
	}
	if got, want := h.senders(), []string{"alice: from the host", "zed@beta: from the guest"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := query[int](h.site, `SELECT count(*) FROM read_positions WHERE tenant_id = 'beta' AND user_id = 'zed'`); got != 1 {
		t.Errorf("got %d read positions of the guest who posted, want 1", got)
	}
	m, err := live.NextMsgWithContext(h.ctx())
	if err != nil || m.Subject != "shared."+hallAddress+"."+acme+".alice" {
		t.Errorf("got %v, %v, want the host's post under the host's account", m, err)
	}
	h.eventually("what was refused is purged", func() bool {
		info, err := h.chat.streamInfo(h.ctx(), subject.Stream(acme, "shared1"))
		return err == nil && info.State.Msgs == 2 && info.State.LastSeq == last
	})
}

func TestSharedRefusalsReachTheGuest(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	notice, err := h.conn.SubscribeSync(subject.PlatformNotice(h.beta.Account, "alice", "refused"))
	if err != nil {
		t.Fatal(err)
	}
	h.run(h.chat)
	h.store(at(h.beta.Account, "alice"), `{"text":"x"}`, nil)
	m, err := notice.NextMsgWithContext(h.ctx())
	if err != nil || !strings.Contains(string(m.Data), `"room":"rhall"`) || !strings.Contains(string(m.Data), `"code":"not_member"`) {
		t.Errorf("got %v, %v, want a notice with the room's address and not_member", m, err)
	}
}

func TestSharedSubjectsFollowTheRows(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	acme, beta := h.tenant.Account, h.beta.Account
	other := "A" + strings.Repeat("D", 55)
	for _, c := range []struct {
		name, sql   string
		host, guest bool // may post
	}{
		{"shared", `SELECT 1`, true, true},
		{"reading only", `UPDATE shares SET post = false`, true, false},
		{"posting again", `UPDATE shares SET post = true`, true, true},
		{"frozen", `UPDATE rooms SET state = 'frozen' WHERE room_id = 'hall'`, false, false},
		{"open again", `UPDATE rooms SET state = 'active' WHERE room_id = 'hall'`, true, true},
		{"ended", `UPDATE shares SET status = 'ended'`, true, false},
		{"deleted", `UPDATE rooms SET state = 'deleted' WHERE room_id = 'hall'`, false, false},
	} {
		h.exec(c.sql)
		if c.name == "deleted" { // its class has no room left: the checker finds the stream by its row
			if err := h.chat.Conform(h.ctx(), h.tenant); err != nil {
				t.Fatal(err)
			}
		}
		h.settle()
		if got := !h.silent(at(acme, "alice")); got != c.host {
			t.Errorf("%s: the host posts: %v, want %v", c.name, got, c.host)
		}
		if got := !h.silent(at(beta, "zed")); got != c.guest {
			t.Errorf("%s: the guest posts: %v, want %v", c.name, got, c.guest)
		}
		if !h.silent(at(other, "eve")) || !h.silent(subject.Nowhere(other, "shared1")) {
			t.Errorf("%s: a third tenant posts", c.name)
		}
		if c.name == "frozen" {
			h.store(at(acme, "_"), `{"event":"frozen","on":true}`, nil)
		}
	}
}

// Two that bring the stream in line at once must not leave what the older one read.
func TestEnsureSharedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	done := make(chan error, 40)
	for i := range 20 {
		h.exec(`UPDATE shares SET post = $1`, i%2 == 0)
		for range 2 {
			go func() { done <- h.chat.EnsureShared(h.ctx(), h.tenant) }()
		}
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if !h.silent(at(h.beta.Account, "zed")) {
		t.Error("the guest posts, though the rows end with reading only")
	}
}

// The projector comes to each post only when its sender's standing has changed again.
func TestAcknowledgedGuestPostsCountWhateverBecomesOfTheirSenders(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	const his = ` FROM rooms r WHERE r.room_pk = m.room_pk AND r.room_id = 'hall' AND m.user_id = 'zed'`
	const again = `, state = 'joined', role = 'member', joined_at = clock_timestamp()`
	var want []string
	for _, c := range []struct {
		name, sql string
		counts    bool
	}{
		{"joined", `SELECT 1`, true},
		{"removed", `DELETE FROM members m USING rooms r WHERE r.room_pk = m.room_pk AND r.room_id = 'hall' AND m.user_id = 'zed'`, false},
		{"in again", `INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
			SELECT room_pk, 'beta', 'zed', 'member', 'joined', clock_timestamp() FROM rooms WHERE room_id = 'hall'`, true},
		{"banned", `UPDATE members m SET state = 'banned'` + his, false},
		{"forgiven", `UPDATE members m SET by_host = false` + again + his, true},
		{"only a reader", `UPDATE members m SET role = 'reader'` + his, false},
		{"a member", `UPDATE members m SET by_host = false` + again + his, true},
		{"gone with the share", `DELETE FROM members m USING rooms r WHERE r.room_pk = m.room_pk AND r.room_id = 'hall' AND m.tenant_id = 'beta'`, false},
	} {
		h.exec(c.sql)
		h.store(at(h.beta.Account, "zed"), `{"text":"`+c.name+`"}`, nats.Header{nats.MsgIdHdr: {h.newID()}})
		if c.counts {
			want = append(want, "zed@beta: "+c.name)
		}
	}
	h.run(h.chat)
	if err := h.chat.caughtUp(h.ctx(), subject.Stream(h.tenant.Account, "shared1")); err != nil {
		t.Fatal(err)
	}
	if got := h.senders(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What the host's retention takes of a shared room, nobody has any more, on either side, and nobody has it unread.
func TestRetentionTakesFromBothSides(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.run(h.chat)
	stream := subject.Stream(h.tenant.Account, "shared1")
	var last uint64
	for i, who := range []struct{ account, user string }{{h.tenant.Account, "alice"}, {h.beta.Account, "zed"}, {h.tenant.Account, "alice"}} {
		text := string(rune('1' + i))
		last = h.store(at(who.account, who.user), `{"text":"`+text+`"}`, nats.Header{nats.MsgIdHdr: {h.newID()}}).Seq
	}
	if err := h.chat.caughtUp(h.ctx(), stream); err != nil {
		t.Fatal(err)
	}
	if got := h.senders(); len(got) != 3 {
		t.Fatalf("got %q, want three messages", got)
	}
	if err := h.chat.purgeBefore(h.ctx(), stream, last); err != nil {
		t.Fatal(err)
	}
	h.eventually("the rows agree with the stream", func() bool { return len(h.senders()) == 1 })
	for _, side := range []struct {
		of   tenant.TenantID
		room tenant.RoomID
	}{{"acme", "hall"}, {"beta", hallAddress}} {
		page, err := h.chat.History(h.ctx(), side.of, side.room, tenant.HistoryQuery{Limit: 10})
		if err != nil || len(page.Messages) != 1 || page.Messages[0].Text != "3" {
			t.Errorf("%s reads %+v, %v, want the last message alone", side.of, page.Messages, err)
		}
	}
	rooms, err := h.chat.unreadRooms(h.ctx(), caller{tenant: "beta", user: "zed"})
	if err != nil || len(rooms) != 1 || rooms[0].Unread != 1 {
		t.Errorf("the guest has unread %+v, %v, want the one message behind his own", rooms, err)
	}
}
