package chat

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
	"parley/tenant/subject"
)

// The order matters: the stream's row is locked first, and each later statement sees
// all that was committed before the lock was had.
const (
	// Planning is most of what a small batch costs. Each of these statements, and Postgres's own that looks whether
	// a message's room exists, has one good plan, which is to look every row up in its index: it is made
	// once for a connection, and not by statistics, which may be those of an empty table.
	sqlPlanOnce = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
		set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`
	// What is about older messages could choose the wrong index: a plan that was made for an empty table is kept
	// for a minute, in which a busy room can have grown by a hundred thousand messages (seen: 6 s for a batch).
	sqlPlanAnew = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'on', true),
		set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true)`
	sqlLockStream = `SELECT s.first_seq, s.last_seq, t.limits FROM streams s JOIN tenants t USING (tenant_id)
		WHERE s.stream = $1 FOR UPDATE OF s`
	sqlEpoch = `SELECT epoch FROM projector_epoch`
	sqlRooms = `SELECT r.room_id, r.room_pk, r.kind, r.class, r.state, r.changed_at, coalesce(h.last_n, 0)
		FROM rooms r LEFT JOIN room_heads h USING (room_pk)
		WHERE r.tenant_id = $1 AND r.room_id = ANY ($2)`
	sqlUsers   = `SELECT user_id, status = 'active' FROM users WHERE tenant_id = $1 AND user_id = ANY ($2)`
	sqlMembers = `SELECT r.room_id, m.user_id, m.state
		FROM unnest($2::text[], $3::text[]) AS p (room_id, user_id)
		JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id
		JOIN standings m ON m.room_pk = r.room_pk AND m.user_id = p.user_id AND m.tenant_id = $1`
	sqlMutes = `SELECT room_id, user_id, why, since, until FROM mutes WHERE tenant_id = $1 AND user_id = ANY ($2)
		UNION ALL SELECT coalesce(r.room_id, ''), b.user_id, b.why, b.since, b.until FROM barred b LEFT JOIN rooms r USING (room_pk)
		WHERE b.tenant_id = $1 AND b.user_id = ANY ($2)`
	// A subquery and no join: whatever the statistics say, it is one look into the unique index each.
	sqlSeen = `SELECT room_id, sender, message_id FROM (
			SELECT p.room_id, p.sender, p.message_id, (SELECT true FROM messages m
				WHERE m.room_pk = r.room_pk AND m.sender = p.sender AND m.message_id = p.message_id) AS seen
			FROM unnest($2::text[], $3::text[], $4::text[]) AS p (room_id, sender, message_id)
			JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id) AS s
		WHERE seen`
)

// errFenced ends a leader's term: another was elected.
var errFenced = errors.New("another process became the projector")

// errGone says that a stream's row is gone, and so its tenant.
var errGone = errors.New("the stream has no row")

// asked are the keys of a batch, without doubles.
type asked struct {
	rooms, users               []string
	memberRooms, memberUsers   []string
	seenRooms, seenBy, seenIDs []string
	targetRooms                []string
	targetSeqs                 []uint64
	posterRooms, posters       []string
	mentions                   bool      // the batch has some
	earliest                   time.Time // of its messages
}

func keysOf(batch []candidate) asked {
	var a asked
	rooms, users, members, seen := map[string]bool{}, map[string]bool{}, map[pair]bool{}, map[onceKey]bool{}
	targets, posters := map[targetKey]bool{}, map[pair]bool{}
	add := func(set map[string]bool, list *[]string, s string) {
		if !set[s] {
			set[s] = true
			*list = append(*list, s)
		}
	}
	for _, c := range batch {
		if !c.ok {
			continue
		}
		room := string(c.post.Room)
		if a.earliest.IsZero() || c.msg.at.Before(a.earliest) {
			a.earliest = c.msg.at
		}
		add(rooms, &a.rooms, room)
		if !c.system() {
			add(users, &a.users, c.post.Sender)
			if p := (pair{c.post.Room, tenant.UserID(c.post.Sender)}); !posters[p] {
				posters[p] = true
				a.posterRooms, a.posters = append(a.posterRooms, room), append(a.posters, c.post.Sender)
			}
		}
		if low, high, direct := c.post.Room.Pair(); direct {
			add(users, &a.users, string(low))
			add(users, &a.users, string(high))
		}
		if c.post.Kind == tenant.Open {
			a.member(members, room, c.post.Sender)
		}
		a.mentions = a.mentions || len(c.body.Mentions) > 0
		for _, u := range c.body.Mentions {
			add(users, &a.users, u)
			a.member(members, room, u)
		}
		if k := (targetKey{c.post.Room, max(c.body.Thread, c.event.Seq)}); k.seq > 0 && k.seq <= maxSequence && !targets[k] {
			targets[k] = true
			a.targetRooms, a.targetSeqs = append(a.targetRooms, room), append(a.targetSeqs, k.seq)
		}
		a.once(seen, onceKey{c.post.Room, c.post.Sender, c.id})
		if c.event.Message != nil { // it may be all that is left of its message
			add(users, &a.users, c.event.By)
			a.once(seen, onceKey{c.post.Room, c.event.By, c.event.Message.ID})
		}
	}
	return a
}

func (a *asked) once(known map[onceKey]bool, k onceKey) {
	if !known[k] {
		known[k] = true
		a.seenRooms, a.seenBy, a.seenIDs = append(a.seenRooms, string(k.room)), append(a.seenBy, k.sender), append(a.seenIDs, k.id)
	}
}

func (a *asked) member(known map[pair]bool, room, u string) {
	if p := (pair{tenant.RoomID(room), tenant.UserID(u)}); !known[p] {
		known[p] = true
		a.memberRooms, a.memberUsers = append(a.memberRooms, room), append(a.memberUsers, u)
	}
}

// gather locks the stream's row and reads all that the rules need, in one round trip; with look also which
// messages are there already.
func (p *projector) gather(ctx context.Context, tx pgx.Tx, l *line, batch []candidate, look bool) (f *facts, last uint64, err error) {
	a := keysOf(batch)
	f = &facts{
		rooms: map[tenant.RoomID]*roomFact{}, active: map[tenant.UserID]bool{},
		members: map[pair]tenant.MemberState{}, readOnly: map[pair]bool{}, posters: map[pair][]period{}, mutes: map[pair][]mute{}, seen: map[onceKey]bool{}, targets: map[targetKey]*target{},
		restraints: newRestraints(),
	}
	for i, seq := range a.targetSeqs {
		f.targets[targetKey{tenant.RoomID(a.targetRooms[i]), seq}] = nil
	}
	var epoch int64
	found := false
	var q pgx.Batch
	q.Queue(sqlPlanOnce)
	q.Queue(sqlLockStream, l.stream).Query(func(rows pgx.Rows) (err error) {
		for rows.Next() {
			found = true
			err = f.scanStream(rows, &last)
		}
		return errors.Join(err, rows.Err())
	})
	q.Queue(sqlEpoch).QueryRow(func(row pgx.Row) error { return row.Scan(&epoch) })
	q.Queue(sqlRooms, l.tenant, a.rooms).Query(f.scanRooms)
	q.Queue(sqlUsers, l.tenant, a.users).Query(f.scanUsers)
	q.Queue(sqlMembers, l.tenant, a.memberRooms, a.memberUsers).Query(f.scanMembers)
	q.Queue(sqlMutes, l.tenant, a.users).Query(f.scanMutes)
	q.Queue(sqlSlow, l.tenant, a.posterRooms, a.posters, a.earliest).Query(f.scanSlow)
	q.Queue(sqlBlockedPairs, l.tenant, a.users).Query(f.scanBlocked)
	if a.mentions {
		q.Queue(sqlSilenced, l.tenant, a.rooms, a.users).Query(f.scanSilenced)
	}
	if look {
		q.Queue(sqlSeen, l.tenant, a.seenRooms, a.seenBy, a.seenIDs).Query(f.scanSeen)
	}
	if f.anew = subject.IsSharedStream(l.stream) || len(a.targetSeqs) > 0; f.anew {
		q.Queue(sqlPlanAnew)
	}
	if subject.IsSharedStream(l.stream) {
		f.queueStandings(&q, l, batch)
	}
	if len(a.targetSeqs) > 0 {
		q.Queue(sqlTargets, l.tenant, a.targetRooms, a.targetSeqs).Query(f.scanTargets)
	}
	err = tx.SendBatch(ctx, &q).Close()
	switch {
	case err != nil:
		return nil, 0, err
	case epoch != p.epoch:
		return nil, 0, errFenced
	case !found:
		return nil, 0, errGone
	}
	return f, last, nil
}

func (f *facts) scanStream(rows pgx.Rows, last *uint64) error {
	var limits []byte
	if err := rows.Scan(&f.firstSeq, last, &limits); err != nil {
		return err
	}
	l, err := decodeLimits(limits)
	f.limits = l
	return err
}

func (f *facts) scanRooms(rows pgx.Rows) error {
	var r roomFact
	_, err := pgx.ForEachRow(rows, []any{&r.id, &r.pk, &r.kind, &r.class, &r.state, &r.changedAt, &r.lastN}, func() error {
		room := r
		f.rooms[r.id] = &room
		return nil
	})
	return err
}

func (f *facts) scanUsers(rows pgx.Rows) error {
	var u tenant.UserID
	var active bool
	_, err := pgx.ForEachRow(rows, []any{&u, &active}, func() error {
		f.active[u] = active
		return nil
	})
	return err
}

func (f *facts) scanMembers(rows pgx.Rows) error {
	var k pair
	var state tenant.MemberState
	_, err := pgx.ForEachRow(rows, []any{&k.room, &k.user, &state}, func() error {
		f.members[k] = state
		return nil
	})
	return err
}

func (f *facts) scanMutes(rows pgx.Rows) error {
	for rows.Next() {
		var k pair
		var m mute
		if err := rows.Scan(&k.room, &k.user, &m.why, &m.since, &m.until); err != nil {
			return err
		}
		f.mutes[k] = append(f.mutes[k], m)
	}
	return rows.Err()
}

func (f *facts) scanSeen(rows pgx.Rows) error {
	var k onceKey
	_, err := pgx.ForEachRow(rows, []any{&k.room, &k.sender, &k.id}, func() error {
		f.seen[k] = true
		return nil
	})
	return err
}

// rollback ends a transaction that was not committed, also when ctx has ended.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}
