package chat

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// In a shared room's rows the users of the host have their ids, and those of another tenant are
// <user>@<tenant>, which no id can be.

// splitName is tenant.GuestName the other way round; t is empty for the host's own users.
func splitName(name tenant.UserID) (u tenant.UserID, t tenant.TenantID) {
	user, of, _ := strings.Cut(string(name), "@")
	return tenant.UserID(user), tenant.TenantID(of)
}

// parseShared reads the subject of a post in a stream of shared rooms. Its room is the address
// until nameShared has looked it up.
func parseShared(stream, s string) (account string, p subject.Post, ok bool) {
	account, p, ok = subject.ParseStoredShared(s)
	p.Class = tenant.Class(strings.SplitN(stream, "-", 2)[0])
	return account, p, ok
}

const (
	sqlSharedNames = `SELECT address, room_id FROM rooms WHERE tenant_id = $1 AND class = $2 AND address = ANY ($3)`
	sqlParticipant = `SELECT account, tenant_id FROM tenants WHERE account = ANY ($1)`
)

// nameShared gives the posts of a stream of shared rooms the names that the host's rows have. They
// never change, so no lock is needed. What names no room of the stream or no tenant is no post, and
// the platform is believed under the host's account alone.
func nameShared(ctx context.Context, tx pgx.Tx, l *line, batch []candidate) error {
	var addresses, accounts []string
	for _, c := range batch {
		addresses, accounts = append(addresses, string(c.post.Room)), append(accounts, c.account)
	}
	if len(batch) == 0 {
		return nil
	}
	rooms, tenants := map[tenant.RoomID]tenant.RoomID{}, map[string]tenant.TenantID{}
	var q pgx.Batch
	var address, room tenant.RoomID
	q.Queue(sqlSharedNames, l.tenant, batch[0].post.Class, addresses).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&address, &room}, func() error { rooms[address] = room; return nil })
		return err
	})
	var account string
	var of tenant.TenantID
	q.Queue(sqlParticipant, accounts).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&account, &of}, func() error { tenants[account] = of; return nil })
		return err
	})
	if err := tx.SendBatch(ctx, &q).Close(); err != nil {
		return err
	}
	for i := range batch {
		batch[i].name(l, rooms, tenants)
	}
	return nil
}

func (c *candidate) name(l *line, rooms map[tenant.RoomID]tenant.RoomID, tenants map[string]tenant.TenantID) {
	c.address = c.post.Room
	room, known := rooms[c.address]
	of, participant := tenants[c.account]
	guest := c.account != l.account
	c.ok = c.ok && known && participant && (!guest || !c.system())
	if !c.ok {
		return
	}
	c.post.Room = room
	if guest {
		c.post.Sender = string(tenant.GuestName(tenant.UserID(c.post.Sender), of))
	}
	for i, m := range c.body.Mentions {
		u, t := splitName(tenant.UserID(m))
		switch {
		case t == l.tenant: // one of the host's, in the words of a guest
			c.body.Mentions[i] = string(u)
		case t == "" && guest:
			c.body.Mentions[i] = string(tenant.GuestName(u, of))
		}
	}
}

const sqlStandings = `SELECT p.room_id, p.name, u.status = 'active', coalesce(m.state, ''), coalesce(m.role = 'reader', false)
	FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS p (room_id, name, tenant_id, user_id)
	JOIN users u ON u.tenant_id = p.tenant_id AND u.user_id = p.user_id
	LEFT JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id
	LEFT JOIN standings m ON m.room_pk = r.room_pk AND m.tenant_id = p.tenant_id AND m.user_id = p.user_id`

const sqlPastPosters = `SELECT p.room_id, p.name, o.since, o.until
	FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS p (room_id, name, tenant_id, user_id)
	JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id
	JOIN past_posters o ON o.room_pk = r.room_pk AND o.tenant_id = p.tenant_id AND o.user_id = p.user_id`

// The mutes of guests are their own tenants', in this room or in all.
const sqlGuestMutes = `WITH p AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS p (room_id, name, tenant_id, user_id) WHERE tenant_id <> $1)
	SELECT CASE WHEN m.room_id = '' THEN '' ELSE p.room_id END, p.name, m.why, m.since, m.until
	FROM p JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id
	JOIN mutes m ON m.tenant_id = p.tenant_id AND m.user_id = p.user_id AND m.room_id IN ('', r.address)
	UNION ALL SELECT '', p.name, b.why, b.since, b.until FROM p JOIN barred b USING (tenant_id, user_id) WHERE b.room_pk IS NULL`

// queueStandings reads what the senders in shared rooms, and those whom they mention, are there.
// NATS lets all users of a participant's account post that have the right subject; who is in
// is the rows' to say.
func (f *facts) queueStandings(q *pgx.Batch, l *line, batch []candidate) {
	var rooms, names, tenants, users []string
	seen := map[pair]bool{}
	ask := func(room tenant.RoomID, name tenant.UserID) {
		p := pair{room, name}
		if seen[p] {
			return
		}
		seen[p] = true
		u, t := splitName(name)
		if t == "" {
			t = l.tenant
		}
		rooms, names = append(rooms, string(room)), append(names, string(name))
		tenants, users = append(tenants, string(t)), append(users, string(u))
	}
	for _, c := range batch {
		if !c.ok || c.system() {
			continue
		}
		ask(c.post.Room, tenant.UserID(c.post.Sender))
		for _, u := range c.body.Mentions {
			ask(c.post.Room, tenant.UserID(u))
		}
	}
	q.Queue(sqlStandings, l.tenant, rooms, names, tenants, users).Query(f.scanStandings)
	q.Queue(sqlGuestMutes, l.tenant, rooms, names, tenants, users).Query(f.scanMutes)
	q.Queue(sqlPastPosters, l.tenant, rooms, names, tenants, users).Query(f.scanPastPosters)
}

func (f *facts) scanStandings(rows pgx.Rows) error {
	var p pair
	var state tenant.MemberState
	var active, reader bool
	_, err := pgx.ForEachRow(rows, []any{&p.room, &p.user, &active, &state, &reader}, func() error {
		f.active[p.user], f.members[p], f.readOnly[p] = active, state, reader
		return nil
	})
	return err
}

func (f *facts) scanPastPosters(rows pgx.Rows) error {
	var p pair
	var was period
	_, err := pgx.ForEachRow(rows, []any{&p.room, &p.user, &was.since, &was.until}, func() error {
		f.posters[p] = append(f.posters[p], was)
		return nil
	})
	return err
}

// mayPost reports whether a user of a shared room may post there, or might when his message was stored:
// it was acknowledged then, whatever has become of him since.
func (f *facts) mayPost(p pair, at time.Time) bool {
	if f.members[p] == tenant.Joined && !f.readOnly[p] {
		return true
	}
	return slices.ContainsFunc(f.posters[p], func(was period) bool { return !at.Before(was.since) && at.Before(was.until) })
}

// A mentioned is a user of another tenant than the host whom a message mentions.
type mentioned struct {
	row  row
	name tenant.UserID
}

const sqlMentioned = `SELECT p.i - 1, t.account, v.id
	FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS p (room_pk, tenant_id, user_id, i)
	JOIN tenants t USING (tenant_id)
	JOIN tenant_rooms v ON v.room_pk = p.room_pk AND v.viewer = p.tenant_id
	LEFT JOIN notify_levels l ON l.room_pk = p.room_pk AND l.tenant_id = p.tenant_id AND l.user_id = p.user_id
	WHERE l.level IS DISTINCT FROM 'none'`

// tellGuests tells users of other tenants that they are mentioned in rooms of the host. What they miss they
// find among what they have unread.
func (c *Chat) tellGuests(ctx context.Context, host tenant.TenantID, all []mentioned) {
	if len(all) == 0 {
		return
	}
	rooms, tenants, users := make([]int64, len(all)), make([]tenant.TenantID, len(all)), make([]tenant.UserID, len(all))
	for i, m := range all {
		rooms[i] = m.row.room.pk
		users[i], tenants[i] = splitName(m.name)
	}
	rows, err := c.pool.Query(ctx, sqlMentioned, rooms, tenants, users)
	if err == nil {
		var i int
		var account string
		var id tenant.RoomID
		_, err = pgx.ForEachRow(rows, []any{&i, &account, &id}, func() error {
			by := seenRoom{viewer: tenants[i], host: host}.shown(all[i].row.sender)
			c.notify(account, users[i], "mention", mentionNotice{Room: id, Seq: all[i].row.msg.seq, By: by})
			return nil
		})
	}
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "guests were not told of mentions", "host", host, "error", err)
	}
}

// name is what a room's rows call a user of the viewer's.
func (r seenRoom) name(u tenant.UserID) tenant.UserID {
	if r.viewer == r.host {
		return u
	}
	return tenant.GuestName(u, r.viewer)
}

// shown is name the other way round: the viewer's own users by their ids, all others with their tenant.
func (r seenRoom) shown(name tenant.UserID) tenant.UserID {
	u, of := splitName(name)
	switch {
	case name == tenant.System || r.viewer == r.host:
		return name
	case of == "":
		return tenant.GuestName(u, r.host)
	case of == r.viewer:
		return u
	}
	return name
}

// show puts the names in a message as the viewer has them. The host's are those of the rows.
func (r seenRoom) show(m *tenant.Message) {
	if r.viewer == r.host || m.Sender == "" {
		return
	}
	m.Sender = string(r.shown(tenant.UserID(m.Sender)))
	for i, u := range m.Mentions {
		m.Mentions[i] = r.shown(u)
	}
	for _, users := range m.Reactions {
		for i, u := range users {
			users[i] = r.shown(u)
		}
	}
	if len(m.Event) > 0 {
		m.Event = r.showEvent(m.Event)
	}
}

// showEvent keeps the fields that it does not know, of a newer version of Parley.
func (r seenRoom) showEvent(event json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(event, &fields) != nil {
		return event
	}
	for _, key := range []string{"by", "user"} {
		var u tenant.UserID
		if json.Unmarshal(fields[key], &u) == nil && u != "" {
			fields[key], _ = json.Marshal(r.shown(u)) // a string always encodes
		}
	}
	shown, err := json.Marshal(fields)
	if err != nil {
		return event
	}
	return shown
}

// post is where a sender speaks in the room.
func (r seenRoom) post(sender string) subject.Post {
	if r.kind == tenant.Shared {
		return subject.Post{Kind: tenant.Shared, Room: r.address, Sender: sender}
	}
	return subject.Post{Class: r.class, Kind: r.kind, Room: r.id, Sender: sender}
}
