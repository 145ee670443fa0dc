package chat

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// What keeps single posts and notices back beyond the state of a room and mutes: slow mode,
// blocks between two users, and what users want to hear of a room.

const (
	refusedSlow    = "slow_mode" // the sender posted here too short a time ago
	refusedBlocked = "blocked"   // one of the two users of a direct room has blocked the other
)

const (
	// Slow mode itself keeps what is looked through short.
	sqlSlow = `SELECT r.room_id, p.user_id, r.slow_seconds, (SELECT max(x.at) FROM messages x
			WHERE x.room_pk = r.room_pk AND x.at > $4::timestamptz - make_interval(secs => r.slow_seconds) AND x.sender = p.user_id AND x.n IS NOT NULL)
		FROM unnest($2::text[], $3::text[]) AS p (room_id, user_id)
		JOIN rooms r ON r.tenant_id = $1 AND r.room_id = p.room_id AND r.slow_seconds > 0
		WHERE NOT EXISTS (SELECT FROM members m WHERE m.room_pk = r.room_pk AND m.user_id = p.user_id AND m.tenant_id = $1
			AND m.state = 'joined' AND m.role IN ('moderator', 'owner'))`
	sqlBlockedPairs = `SELECT user_id, blocked_id, since FROM blocks
		WHERE tenant_id = $1 AND user_id = ANY ($2) AND blocked_id = ANY ($2)`
	sqlSilenced = `SELECT r.room_id, l.user_id FROM notify_levels l JOIN rooms r USING (room_pk)
		WHERE r.tenant_id = $1 AND r.room_id = ANY ($2) AND l.tenant_id = $1 AND l.user_id = ANY ($3) AND l.level = 'none'`
)

// A slowness holds one user in one room to a pace, by the clock of the stored messages.
type slowness struct {
	every time.Duration
	last  time.Time // his last post that counts; zero: none so late
}

// restraints are the facts of a batch about all this.
type restraints struct {
	slow     map[pair]*slowness
	blocked  map[[2]tenant.UserID]time.Time // since when the first blocks the second
	silenced map[pair]bool                  // users who want to hear nothing of a room
}

func newRestraints() restraints {
	return restraints{slow: map[pair]*slowness{}, blocked: map[[2]tenant.UserID]time.Time{}, silenced: map[pair]bool{}}
}

func (r *restraints) scanSlow(rows pgx.Rows) error {
	for rows.Next() {
		var k pair
		var seconds int64
		var last *time.Time
		if err := rows.Scan(&k.room, &k.user, &seconds, &last); err != nil {
			return err
		}
		r.slow[k] = &slowness{every: time.Duration(seconds) * time.Second, last: timeOf(last)}
	}
	return rows.Err()
}

func (r *restraints) scanBlocked(rows pgx.Rows) error {
	var u, other tenant.UserID
	var since time.Time
	_, err := pgx.ForEachRow(rows, []any{&u, &other, &since}, func() error {
		r.blocked[[2]tenant.UserID{u, other}] = since
		return nil
	})
	return err
}

func (r *restraints) scanSilenced(rows pgx.Rows) error {
	var k pair
	_, err := pgx.ForEachRow(rows, []any{&k.room, &k.user}, func() error {
		r.silenced[k] = true
		return nil
	})
	return err
}

// check returns the code of what keeps a post back, or "".
func (r *restraints) check(c candidate) string {
	if s := r.slow[pair{c.post.Room, tenant.UserID(c.post.Sender)}]; s != nil && !s.last.IsZero() && c.msg.at.Before(s.last.Add(s.every)) {
		return refusedSlow
	}
	low, high, _ := c.post.Room.Pair()
	for _, p := range [][2]tenant.UserID{{low, high}, {high, low}} {
		if since, ok := r.blocked[p]; ok && !c.msg.at.Before(since) {
			return refusedBlocked
		}
	}
	return ""
}

// posted notes a post that counts.
func (r *restraints) posted(c candidate) {
	if s := r.slow[pair{c.post.Room, tenant.UserID(c.post.Sender)}]; s != nil {
		s.last = c.msg.at
	}
}

// audience are those of the mentioned whom the projector tells: not the sender, not who blocks him
// or wants to hear nothing of the room.
func (r *restraints) audience(room tenant.RoomID, sender tenant.UserID, mentions []string) []tenant.UserID {
	var told []tenant.UserID
	for _, m := range mentions {
		u := tenant.UserID(m)
		_, blocks := r.blocked[[2]tenant.UserID{u, sender}]
		if u != sender && !blocks && !r.silenced[pair{room, u}] {
			told = append(told, u)
		}
	}
	return told
}

const (
	sqlLastPost = `SELECT max(at) FROM messages
		WHERE room_pk = $1 AND sender = $2 AND n IS NOT NULL AND at > now() - make_interval(secs => $3)`
	sqlBlockedNow = `SELECT EXISTS (SELECT FROM blocks WHERE tenant_id = $1 AND (user_id, blocked_id) IN (($2, $3), ($3, $2)))`
)

// paced refuses what the projector would refuse of a post, so that a backend is told at once.
func (c *Chat) paced(ctx context.Context, who caller, room seenRoom) error {
	if low, high, direct := room.id.Pair(); direct {
		var blocked bool
		err := c.pool.QueryRow(ctx, sqlBlockedNow, who.tenant, low, high).Scan(&blocked)
		if err == nil && blocked {
			return tenant.ErrBlocked
		}
		return fromDB(err)
	}
	if room.slow == 0 {
		return nil
	}
	if err := c.caughtUp(ctx, room.stream); err != nil {
		return err
	}
	var last *time.Time
	if err := c.pool.QueryRow(ctx, sqlLastPost, room.pk, who.user, room.slow.Seconds()).Scan(&last); err != nil || last == nil {
		return fromDB(err)
	}
	return tenant.Errorf(tenant.CodeRateLimited, "the room is in slow mode: %s may post again at %s", who.user,
		last.Add(room.slow).UTC().Format(time.RFC3339))
}
