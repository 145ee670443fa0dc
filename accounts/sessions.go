package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"parley/tenant"
)

const (
	// maxSessions is how many sessions wait to be written, or forgotten.
	maxSessions = 4096
	// sessionBatch is how many go in one statement.
	sessionBatch = 512
	// sessionPause gathers a batch.
	sessionPause = 25 * time.Millisecond
	// sessionTries is how often a batch is tried to be written, sessionAgain apart.
	sessionTries = 20
	sessionAgain = 500 * time.Millisecond
	// sessionLife is when a session of a living server can't be open any more: the callout's
	// answers expire within an hour. Those of whom the servers let in by themselves don't.
	sessionLife = 2 * time.Hour
	// sessionGrace leaves sessions alone whose server may be too new to be known, or whose
	// client is still on its way in.
	sessionGrace = 15 * time.Second
	// missedRetry is how long after a connection's end its session, which was not there, is looked for again, or twice that.
	missedRetry = 2 * time.Second
)

// A Recorder writes what the callout knows of the connections it lets in. It never makes a
// decision wait: what can't be written is dropped and counted.
type Recorder struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	parley  *nats.Conn
	queue   chan tenant.Session
	dropped atomic.Uint64
}

// NewRecorder returns a Recorder; Run writes, and tells on parley, a connection in RoleNotices, who came.
func NewRecorder(pool *pgxpool.Pool, log *slog.Logger, parley *nats.Conn) *Recorder {
	return &Recorder{pool: pool, log: log, parley: parley, queue: make(chan tenant.Session, maxSessions)}
}

// Record queues a session, or drops it where the database has fallen behind.
func (r *Recorder) Record(s tenant.Session) {
	select {
	case r.queue <- s:
	default:
		r.dropped.Add(1)
	}
}

// Dropped counts the sessions that were never written.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// Run writes whatever is queued, at once and in one statement, until ctx ends.
func (r *Recorder) Run(ctx context.Context) {
	for {
		batch, err := take(ctx, r.queue)
		if err != nil {
			return
		}
		if err := r.keep(ctx, batch); err != nil {
			r.dropped.Add(uint64(len(batch)))
			r.log.Warn("sessions not written", "count", len(batch), "error", err)
			continue
		}
		came := comings{}
		for _, s := range batch {
			came.add(s.Account, s.User)
		}
		came.tell(r.parley, r.log)
	}
}

// keep writes a batch, and tries again while the database is away: a connection without a session
// would not be found when the key that opened it is removed. Meanwhile the queue fills, and drops.
func (r *Recorder) keep(ctx context.Context, batch []tenant.Session) error {
	for try := 1; ; try++ {
		err := r.write(ctx, batch)
		if err == nil || try == sessionTries || ctx.Err() != nil {
			return err
		}
		pause(ctx, sessionAgain)
	}
}

// take waits for one and returns it with those behind it.
func take[T any](ctx context.Context, queue <-chan T) ([]T, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case v := <-queue:
		return gather(ctx, v, queue)
	}
}

// workOff does what is queued, batch by batch, until ctx ends; what names it in the log.
func workOff[T any](ctx context.Context, log *slog.Logger, queue <-chan T, do func(ctx context.Context, batch []T) error, what string) {
	for {
		batch, err := take(ctx, queue)
		if err != nil {
			return
		}
		if err := do(ctx, batch); err != nil && ctx.Err() == nil {
			log.Warn("not written", "what", what, "count", len(batch), "error", err)
		}
	}
}

// gather waits a little, and returns all that are queued by then, up to a batch: a statement for
// each connection would cost the database as much as letting it in.
func gather[T any](ctx context.Context, first T, queue <-chan T) ([]T, error) {
	pause := time.NewTimer(sessionPause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-pause.C:
	}
	batch := []T{first}
	for len(batch) < sessionBatch {
		select {
		case v := <-queue:
			batch = append(batch, v)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// Of two sessions of one connection in a batch, DISTINCT ON keeps one: ON CONFLICT may not meet a row twice.
// The use of keys is noted on the way, each at most once a minute.
const insertSessions = `
WITH used AS (
  UPDATE keys SET last_used_at = now()
  WHERE key_id = ANY($6) AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
INSERT INTO sessions (server_id, cid, account, user_id, method, key_id, token_id, address, since, rooms, restricted)
SELECT DISTINCT ON (s, c) s, c, a, u, m, k, j, d, t, string_to_array(l, ','), r
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
  $10::text[], $11::boolean[]) AS x (s, c, a, u, m, k, j, d, t, l, r)
ORDER BY s, c, t DESC
ON CONFLICT (server_id, cid) DO UPDATE SET account = excluded.account, user_id = excluded.user_id, method = excluded.method,
  key_id = excluded.key_id, token_id = excluded.token_id, address = excluded.address, since = excluded.since,
  rooms = excluded.rooms, restricted = excluded.restricted`

func (r *Recorder) write(ctx context.Context, batch []tenant.Session) error {
	return writeSessions(ctx, r.pool, batch)
}

func writeSessions(ctx context.Context, pool *pgxpool.Pool, batch []tenant.Session) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	n := len(batch)
	servers, accounts, users := make([]string, n), make([]string, n), make([]string, n)
	methods, addresses := make([]string, n), make([]string, n)
	keys, tokens := make([]string, n), make([]string, n)
	cids, since := make([]int64, n), make([]time.Time, n)
	rooms, restricted := make([]*string, n), make([]bool, n)
	for i, s := range batch {
		rooms[i], restricted[i] = joined(s.Rooms), s.Restricted
		servers[i], accounts[i], users[i] = s.Server, s.Account, string(s.User)
		methods[i], addresses[i] = string(s.Method), s.Address
		keys[i], tokens[i] = s.Proof.Key, s.Proof.Token
		cids[i], since[i] = int64(s.CID), s.Since //nolint:gosec // G115: a server counts connections from 1
	}
	_, err := pool.Exec(ctx, insertSessions, servers, cids, accounts, users, methods, keys, tokens, addresses, since, rooms, restricted)
	return err
}

// joined lists ids, which hold no commas; nil stays nil.
func joined(rooms []tenant.RoomID) *string {
	if rooms == nil {
		return nil
	}
	var b strings.Builder
	for i, r := range rooms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(string(r))
	}
	s := b.String()
	return &s
}

type sessionKey struct {
	server string
	cid    uint64
}

// overLimit is why a server closes a connection beyond what its account may have.
const overLimit = "Maximum Account Connections Exceeded"

// A departure is the end of a connection.
type departure struct {
	sessionKey
	crowded bool // the callout had let it in, and the server found no room in the account
}

// disconnected queues a session to be forgotten. One that finds no room is pruned later.
func (a *Accounts) disconnected(m *nats.Msg) {
	var e event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		a.log.Warn("disconnect event does not decode", "error", err)
		return
	}
	select {
	case a.left <- departure{sessionKey{e.Server.ID, e.Client.ID}, e.Reason == overLimit}:
	default:
	}
}

// forgetSessions deletes the sessions of connections that ended, until ctx ends. One that is not there
// yet is on its way, and looked for again: the callout's process writes it behind its decision.
func (a *Accounts) forgetSessions(ctx context.Context) {
	late := time.NewTicker(missedRetry)
	defer late.Stop()
	var missed, again []departure
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			a.forget(ctx, again)
			again, missed = missed, nil
		case k := <-a.left:
			batch, err := gather(ctx, k, a.left)
			if err != nil {
				return
			}
			missed = append(missed, a.forget(ctx, batch)...)
			missed = missed[:min(len(missed), maxSessions)]
		}
	}
}

// forget returns the sessions that were not there.
func (a *Accounts) forget(ctx context.Context, batch []departure) (missed []departure) {
	if len(batch) == 0 {
		return nil
	}
	missed, err := a.deleteSessions(ctx, batch)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("sessions not forgotten", "count", len(batch), "error", err)
	}
	return missed
}

// When the users were last seen goes with the sessions, in one statement.
const deleteSessions = `
WITH gone AS (
  DELETE FROM sessions USING unnest($1::text[], $2::bigint[]) AS x (s, c) WHERE server_id = s AND cid = c
  RETURNING server_id, cid, account, user_id, method, address
), seen AS (
  INSERT INTO presence (tenant_id, user_id, last_seen)
  SELECT DISTINCT u.tenant_id, u.user_id, $3::timestamptz
  FROM gone JOIN tenants t USING (account) JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = gone.user_id
  ON CONFLICT (tenant_id, user_id) DO UPDATE SET last_seen = excluded.last_seen
)
SELECT server_id, cid, account, user_id, method, address, coalesce(t.tenant_id, '') FROM gone LEFT JOIN tenants t USING (account)`

// deleteSessions also tells the tenants' admins whom the limit of their account kept out. Of several
// processes one finds the session.
func (a *Accounts) deleteSessions(ctx context.Context, batch []departure) (missed []departure, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	servers, cids := make([]string, len(batch)), make([]int64, len(batch))
	for i, k := range batch {
		servers[i], cids[i] = k.server, int64(k.cid) //nolint:gosec // G115: a server counts connections from 1
	}
	rows, err := a.pool.Query(ctx, deleteSessions, servers, cids, a.now())
	if err != nil {
		return nil, err
	}
	went := comings{}
	var k sessionKey
	var account string
	var u tenant.UserID
	r := tenant.Refusal{At: a.now(), Code: refuseCrowd.code, Reason: refuseCrowd.reason}
	kept := map[sessionKey]tenant.Refusal{}
	_, err = pgx.ForEachRow(rows, []any{&k.server, &k.cid, &account, &u, &r.Method, &r.Address, &r.Tenant}, func() error {
		r.User = string(u)
		kept[k] = r
		went.add(account, u)
		return nil
	})
	went.tell(a.parley, a.log)
	for _, d := range batch {
		r, found := kept[d.sessionKey]
		switch {
		case !found:
			missed = append(missed, d)
		case d.crowded:
			a.told(r)
		}
	}
	return missed, err
}

const pruneSessions = `
DELETE FROM sessions WHERE since < $2 AND NOT server_id = ANY($1)
  OR since < $3 AND method <> 'service' AND NOT EXISTS (SELECT FROM keys k WHERE k.key_id = sessions.key_id AND k.kind = 'nats-scoped')
RETURNING account, user_id`

const (
	// Only where they are counted does a session that is not open do harm.
	selectCounted = `
SELECT DISTINCT t.account FROM tenants t JOIN sessions s ON s.account = t.account AND s.since < $1
WHERE (t.limits->>'connections_per_user')::bigint > 0`
	deleteClosed = `
DELETE FROM sessions WHERE account = $1 AND since < $2
AND NOT EXISTS (SELECT FROM unnest($3::text[], $4::bigint[]) AS x (s, c) WHERE server_id = s AND cid = c)`
)

// auditSessions forgets the sessions that the servers do not know: of clients that left before
// they had their answer, and of those whose leaving nobody heard.
func (a *Accounts) auditSessions(ctx context.Context) error {
	before := a.now().Add(-sessionGrace)
	rows, err := a.pool.Query(ctx, selectCounted, before)
	if err != nil {
		return fmt.Errorf("audit sessions: %w", err)
	}
	counted, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("audit sessions: %w", err)
	}
	var faults []error
	for _, account := range counted {
		open, err := a.find(ctx, account, "")
		if err == nil { // else not every server was heard
			servers, cids := make([]string, len(open)), make([]int64, len(open))
			for i, c := range open {
				servers[i], cids[i] = c.Server, int64(c.CID) //nolint:gosec // G115: a server counts connections from 1
			}
			_, err = a.pool.Exec(ctx, deleteClosed, account, before, servers, cids)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// pruneSessions forgets the sessions of servers that are gone, and those whose end nobody heard of.
func (a *Accounts) pruneSessions(ctx context.Context) error {
	known := a.nodes.known()
	if len(known) == 0 {
		return errors.New("prune sessions: no server is known")
	}
	now := a.now()
	rows, err := a.pool.Query(ctx, pruneSessions, known, now.Add(-sessionGrace), now.Add(-sessionLife))
	if err != nil {
		return fmt.Errorf("prune sessions: %w", err)
	}
	went := comings{}
	var account string
	var u tenant.UserID
	if _, err := pgx.ForEachRow(rows, []any{&account, &u}, func() error { went.add(account, u); return nil }); err != nil {
		return fmt.Errorf("prune sessions: %w", err)
	}
	went.tell(a.parley, a.log)
	return nil
}
