package chat

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// Bounds of presence.
const (
	watchLife    = 2 * time.Minute // of a watch that is not asked for again
	maxWatched   = 10_000          // users of one room that a watcher is told of
	maxPresences = 1000            // users of one answer or notice; the others of a notice come with the next
)

// A presence is what others are told of a user's connections.
type presence struct {
	User     tenant.UserID `json:"user"`
	Online   bool          `json:"online"`
	Idle     bool          `json:"idle,omitzero"`
	LastSeen time.Time     `json:"last_seen,omitzero"` // of an online user: now; none: never
}

func (p presence) state() watchedState { return watchedState{p.Online, p.Idle} }

// A watchedState is the part that a watcher is told the change of.
type watchedState struct{ online, idle bool }

// A group is who is looked at by some watchers: the members of a room, or the users that one of them named.
type group struct {
	users    []tenant.UserID
	watchers map[tenant.UserID]bool
}

// A look is one group's at a user.
type look struct {
	by   *group
	told watchedState
}

// A watch is one user who looks at others.
type watch struct {
	groups  map[string]bool
	expires time.Time
}

// watches are those of the users whose requests this process answered. Nobody else keeps any: an account
// that nobody looks at costs a map lookup for each message about it.
type watches struct {
	self string

	mu sync.Mutex
	of map[string]*watched // by account
}

// A watched is an account in which somebody looks.
type watched struct {
	asking  int // requests that have yet to read the rows
	groups  map[string]*group
	watches map[tenant.UserID]*watch
	looks   map[tenant.UserID][]look
	dirty   map[tenant.UserID]bool // came or went since it was told last
}

func newWatches() *watches { return &watches{self: rand.Text(), of: map[string]*watched{}} }

// ask is called before the rows are read, so that whoever comes or goes in between is not missed; answered
// is to be called after add.
func (w *watches) ask(account string) (answered func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.of[account]
	if a == nil {
		a = &watched{
			groups: map[string]*group{}, watches: map[tenant.UserID]*watch{},
			looks: map[tenant.UserID][]look{}, dirty: map[tenant.UserID]bool{},
		}
		w.of[account] = a
	}
	a.asking++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		a.asking--
	}
}

// add makes u a watcher of a group, and the group's users those who are given.
func (w *watches) add(account string, u tenant.UserID, name string, users []presence, expires time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.of[account]
	g := a.groups[name]
	if g == nil {
		g = &group{watchers: map[tenant.UserID]bool{}}
		a.groups[name] = g
	}
	a.aim(g, users)
	g.watchers[u] = true
	v := a.watches[u]
	if v == nil {
		v = &watch{groups: map[string]bool{}}
		a.watches[u] = v
	}
	v.groups[name], v.expires = true, expires
}

// aim makes the users of a group those who are given. Who has changed meanwhile is told to those who
// look already.
func (a *watched) aim(g *group, users []presence) {
	told := a.unlook(g)
	for _, p := range users {
		state, known := told[p.User]
		if !known {
			state = p.state()
		}
		if state != p.state() {
			a.dirty[p.User] = true
		}
		g.users = append(g.users, p.User)
		a.looks[p.User] = append(a.looks[p.User], look{g, state})
	}
}

// unlook takes a group off its users, and returns what was told of them.
func (a *watched) unlook(g *group) map[tenant.UserID]watchedState {
	told := make(map[tenant.UserID]watchedState, len(g.users))
	for _, u := range g.users {
		a.looks[u] = slices.DeleteFunc(a.looks[u], func(l look) bool {
			if l.by == g {
				told[u] = l.told
			}
			return l.by == g
		})
		if len(a.looks[u]) == 0 {
			delete(a.looks, u)
		}
	}
	g.users = nil
	return told
}

// drop ends a user's watch.
func (w *watches) drop(account string, u tenant.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.of[account]; a != nil {
		a.end(u)
	}
}

func (a *watched) end(u tenant.UserID) {
	v := a.watches[u]
	if v == nil {
		return
	}
	for name := range v.groups {
		g := a.groups[name]
		if delete(g.watchers, u); len(g.watchers) == 0 {
			a.unlook(g)
			delete(a.groups, name)
		}
	}
	delete(a.watches, u)
}

// changed notes users who came or went.
func (w *watches) changed(account string, users []tenant.UserID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.of[account]
	if a == nil {
		return
	}
	for _, u := range users {
		if a.asking > 0 || len(a.looks[u]) > 0 {
			a.dirty[u] = true
		}
	}
}

// due ends what has expired, and takes from each account some of those who came or went.
func (w *watches) due(now time.Time) map[string][]tenant.UserID {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]tenant.UserID{}
	for account, a := range w.of {
		for u, v := range a.watches {
			if v.expires.Before(now) {
				a.end(u)
			}
		}
		if len(a.watches) == 0 && a.asking == 0 {
			delete(w.of, account)
			continue
		}
		for u := range a.dirty {
			if len(all[account]) == maxPresences {
				break
			}
			all[account] = append(all[account], u)
			delete(a.dirty, u)
		}
	}
	return all
}

// news are what each watcher of an account is to be told.
func (w *watches) news(account string, now []presence) map[tenant.UserID][]presence {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.of[account]
	if a == nil {
		return nil
	}
	all := map[tenant.UserID][]presence{}
	for _, p := range now {
		told := map[tenant.UserID]bool{p.User: true} // not of himself, and of others once
		looks := a.looks[p.User]
		for i := range looks {
			if looks[i].told == p.state() {
				continue
			}
			looks[i].told = p.state()
			for u := range looks[i].by.watchers {
				if !told[u] {
					told[u] = true
					all[u] = append(all[u], p)
				}
			}
		}
	}
	return all
}

// watch hears who came or went and tells those who look, each at most once a second, until ctx ends.
func (c *Chat) watch(ctx context.Context) {
	sub, err := c.conn.Subscribe(subject.AllPresence, c.heardPresence)
	if err != nil {
		c.log.ErrorContext(ctx, "presence is not heard", "error", err)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	ticker(ctx, c.timing.coalesce, func() { c.tellWatchers(ctx) })
}

// tellWatchers tells each of those who look what is new to him, in one notice.
func (c *Chat) tellWatchers(ctx context.Context) {
	for account, users := range c.watches.due(c.now()) {
		if err := c.tellPresence(ctx, account, users); err != nil && ctx.Err() == nil {
			c.watches.changed(account, users)
			c.log.WarnContext(ctx, "presence waits to be told", "account", account, "error", err)
		}
	}
}

func (c *Chat) heardPresence(m *nats.Msg) {
	account, ok := subject.ParsePresence(m.Subject)
	var said tenant.Comings
	if err := json.Unmarshal(m.Data, &said); err != nil || !ok {
		c.log.Warn("a message about presence does not decode", "subject", m.Subject)
		return
	}
	c.watches.changed(account, said.Users)
	if said.Watcher != "" && said.By != c.watches.self {
		c.watches.drop(account, said.Watcher)
	}
}

// presenceNotice is live.user.<user>.presence.
type presenceNotice struct {
	Users []presence `json:"users"`
}

func (c *Chat) tellPresence(ctx context.Context, account string, users []tenant.UserID) error {
	now, err := c.presences(ctx, account, users)
	if err != nil {
		return err
	}
	for u, list := range c.watches.news(account, now) {
		body, err := json.Marshal(presenceNotice{list})
		if err != nil {
			return err
		}
		if err = c.conn.Publish(subject.PlatformNotice(account, u, "presence"), body); err != nil {
			return err
		}
		c.metrics.presence.Inc()
	}
	return nil
}

const (
	sqlPresenceColumns = `u.user_id, s.since IS NOT NULL, coalesce(p.idle_since > s.since, false), p.last_seen`
	sqlPresenceJoins   = ` LEFT JOIN presence p ON p.tenant_id = u.tenant_id AND p.user_id = u.user_id
		CROSS JOIN LATERAL (SELECT max(since) AS since FROM sessions WHERE account = $1 AND user_id = u.user_id) s`
	sqlPresences = `SELECT ` + sqlPresenceColumns + ` FROM tenants t JOIN users u USING (tenant_id)` + sqlPresenceJoins + `
		WHERE t.account = $1 AND u.user_id = ANY ($2)`
	sqlRoomPresences = `SELECT ` + sqlPresenceColumns + ` FROM members m JOIN users u USING (tenant_id, user_id)` + sqlPresenceJoins + `
		WHERE m.room_pk = $2 AND m.tenant_id = $3 AND m.state = 'joined' AND u.status = 'active'` + sqlNotBlocked + `
		ORDER BY s.since IS NULL, p.last_seen DESC NULLS LAST, u.user_id LIMIT $4`
	// Of two one of whom has blocked the other, neither sees whether the other is there. $1 to $4 are the queries' own.
	sqlNotBlocked = ` AND NOT EXISTS (SELECT FROM blocks b WHERE b.tenant_id = u.tenant_id
		AND (b.user_id = $5 AND b.blocked_id = u.user_id OR b.user_id = u.user_id AND b.blocked_id = $5))`
	sqlInBlocks = `SELECT EXISTS (SELECT FROM blocks WHERE tenant_id = $1 AND (user_id = $2 OR blocked_id = $2))`
	// Others are seen by those who can read a room that they joined.
	sqlVisiblePresences = `SELECT ` + sqlPresenceColumns + ` FROM users u` + sqlPresenceJoins + `
		WHERE u.tenant_id = $2 AND u.status = 'active' AND u.user_id = ANY ($4) AND (u.user_id = $3 OR EXISTS (
			SELECT FROM members m JOIN rooms r USING (room_pk) LEFT JOIN members mine ON mine.room_pk = m.room_pk AND mine.tenant_id = $2 AND mine.user_id = $3
			WHERE m.tenant_id = $2 AND m.user_id = u.user_id AND m.state = 'joined' AND r.state <> 'deleted'
				AND (mine.state = 'joined' OR r.tenant_id = $2 AND r.kind IN ('open', 'announce') AND mine.state IS DISTINCT FROM 'banned')))` + sqlNotBlocked + `
		ORDER BY u.user_id`
)

func (c *Chat) presences(ctx context.Context, account string, users []tenant.UserID) ([]presence, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	return c.queryPresences(ctx, sqlPresences, account, users)
}

func (c *Chat) queryPresences(ctx context.Context, sql string, args ...any) ([]presence, error) {
	now := c.now().UTC()
	rows, err := c.pool.Query(ctx, sql, args...)
	return collect(rows, err, func(row pgx.CollectableRow) (p presence, err error) {
		var seen *time.Time
		err = row.Scan(&p.User, &p.Online, &p.Idle, &seen)
		if p.LastSeen = timeOf(seen); p.Online {
			p.LastSeen = now.Truncate(time.Millisecond)
		}
		return p, err
	})
}

type presenceRequest struct {
	Room  string   `json:"room"`
	Users []string `json:"users"`
	Idle  *bool    `json:"idle"`
}

type presenceAnswer struct {
	okay
	Users []presence `json:"users"`
	More  bool       `json:"more,omitzero"` // only the first maxPresences are listed; the watch covers the others too
	Watch int        `json:"watch_seconds,omitzero"`
}

// opPresence says who of a room, or of some users, is there, and tells its caller for two minutes who
// comes and goes of them. With idle it says that he himself is away from his screen, or back.
func (c *Chat) opPresence(ctx context.Context, who caller, q presenceRequest) (any, error) {
	if q.Room != "" && q.Users != nil || q.Room == "" && q.Users == nil && q.Idle == nil {
		return nil, tenant.Invalid("room", "give a room or users, or say whether you are idle")
	}
	if q.Idle != nil {
		if err := c.setIdle(ctx, who, *q.Idle); err != nil {
			return nil, err
		}
		if q.Room == "" && q.Users == nil {
			return presenceAnswer{okay: yes, Users: []presence{}}, nil
		}
	}
	answered := c.watches.ask(who.account)
	defer answered()
	name, users, err := c.lookAt(ctx, who, q)
	if err != nil {
		return nil, err
	}
	c.watches.add(who.account, who.user, name, users, c.now().Add(watchLife))
	if err = c.sayPresence(who.account, tenant.Comings{Watcher: who.user, By: c.watches.self}); err != nil {
		return nil, fmt.Errorf("take over a watch: %w", err)
	}
	return presenceAnswer{
		okay: yes, Users: users[:min(len(users), maxPresences)], More: len(users) > maxPresences, Watch: int(watchLife / time.Second),
	}, nil
}

// lookAt returns the users that a request is about, and a name for them.
func (c *Chat) lookAt(ctx context.Context, who caller, q presenceRequest) (string, []presence, error) {
	if q.Room != "" {
		room, err := c.readable(ctx, who.tenant, q.Room, who.user)
		if err != nil {
			return "", nil, err
		}
		users, err := c.queryPresences(ctx, sqlRoomPresences, who.account, room.pk, who.tenant, maxWatched, who.user)
		if err != nil {
			return "", nil, err
		}
		name := "room " + string(room.id)
		var alone bool // not all members are to be told to him, so that he shares his list with nobody
		if err = c.pool.QueryRow(ctx, sqlInBlocks, who.tenant, who.user).Scan(&alone); alone {
			name += " of " + string(who.user)
		}
		return name, users, fromDB(err)
	}
	if len(q.Users) > maxPresences {
		return "", nil, tenant.Invalid("users", "must be at most 1,000")
	}
	list := make([]tenant.UserID, len(q.Users))
	for i, s := range q.Users {
		u, err := tenant.ParseUserID("users", s)
		if err != nil {
			return "", nil, err
		}
		list[i] = u
	}
	users, err := c.queryPresences(ctx, sqlVisiblePresences, who.account, who.tenant, who.user, list, who.user)
	return "users of " + string(who.user), users, err
}

const sqlSetIdle = `INSERT INTO presence (tenant_id, user_id, idle_since) VALUES ($1, $2, $3)
	ON CONFLICT (tenant_id, user_id) DO UPDATE SET idle_since = excluded.idle_since`

func (c *Chat) setIdle(ctx context.Context, who caller, idle bool) error {
	var since *time.Time
	if idle {
		now := c.now()
		since = &now
	}
	if _, err := c.pool.Exec(ctx, sqlSetIdle, who.tenant, who.user, since); err != nil {
		return fmt.Errorf("write that %s is idle: %w", who.user, fromDB(err))
	}
	return c.sayPresence(who.account, tenant.Comings{Users: []tenant.UserID{who.user}})
}

func (c *Chat) sayPresence(account string, said tenant.Comings) error {
	body, err := json.Marshal(said)
	if err != nil {
		return err
	}
	return c.conn.Publish(subject.Presence(account), body)
}
