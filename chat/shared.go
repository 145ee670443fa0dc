package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

// A participant is a tenant whose users may post in a shared room.
type participant struct {
	Address tenant.RoomID `json:"address"`
	Account string        `json:"account"`
}

// sharedConfig is a host's stream of shared rooms: a subject for each room and participant that
// posts there. What has no subject is answered "no responders" by the server itself.
func sharedConfig(host tenant.Tenant, class tenant.Class, rooms []tenant.RoomID, participants []participant) jetstream.StreamConfig {
	c := streamConfig(host, class)
	c.Subjects = []string{subject.Nowhere(host.Account, class)}
	speaks := map[tenant.RoomID]bool{} // of the rooms in which the host posts, and with it the platform
	for _, p := range participants {
		c.Subjects = append(c.Subjects, subject.SharedPost(p.Account, p.Address))
		speaks[p.Address] = speaks[p.Address] || p.Account == host.Account
	}
	for _, r := range rooms {
		if !speaks[r] {
			c.Subjects = append(c.Subjects, subject.SharedEvents(host.Account, r))
		}
	}
	slices.Sort(c.Subjects)
	c.RePublish = &jetstream.RePublish{Source: subject.SharedPosts, Destination: subject.SharedRepublished}
	return c
}

const sqlSharedClasses = `SELECT DISTINCT class FROM rooms WHERE tenant_id = $1 AND kind = 'shared' AND state <> 'deleted'`

// EnsureShared makes the streams of the rooms that a tenant shares where they are missing, and
// brings their subjects in line with the rows: from then on, those who lost the right to post have none.
func (c *Chat) EnsureShared(ctx context.Context, host tenant.Tenant) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlSharedClasses, host.ID)
	classes, err := collect(rows, err, pgx.RowTo[tenant.Class])
	if err != nil {
		return err
	}
	var faults []error
	for _, class := range classes {
		if err := c.Ensure(ctx, host, class); err != nil && !errors.Is(err, tenant.ErrNotFound) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

const sqlSharedStream = `SELECT
	array(SELECT address FROM rooms WHERE tenant_id = $1 AND class = $2 AND kind = 'shared' AND state <> 'deleted'),
	coalesce((SELECT jsonb_agg(jsonb_build_object('address', address, 'account', account)) FROM shared_posters
		WHERE host = $1 AND class = $2), '[]')`

// querier is the pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// config is the configuration that the rows ask for.
func (c *Chat) config(ctx context.Context, q querier, t tenant.Tenant, class tenant.Class) (jetstream.StreamConfig, error) {
	if !subject.IsSharedClass(class) {
		return streamConfig(t, class), nil
	}
	var rooms []tenant.RoomID
	var participants []participant
	if err := q.QueryRow(ctx, sqlSharedStream, t.ID, class).Scan(&rooms, &participants); err != nil {
		return jetstream.StreamConfig{}, fromDB(err)
	}
	return sharedConfig(t, class, rooms, participants), nil
}

// One at a time for each stream: an update by older rows must not come after one by newer. In this
// process one at a time at all, or those who wait for the lock could hold every connection of the pool.
const sqlLockShared = `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`

func (c *Chat) ensureSharedClass(ctx context.Context, t tenant.Tenant, class tenant.Class) error {
	select {
	case c.sharing <- struct{}{}:
		defer func() { <-c.sharing }()
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", unavailable("the message store"), ctx.Err())
	}
	tx, err := c.pool.Begin(ctx)
	if err != nil {
		return fromDB(err)
	}
	defer rollback(ctx, tx)
	if _, err = tx.Exec(ctx, sqlLockShared, subject.Stream(t.Account, class)); err != nil {
		return fromDB(err)
	}
	want, err := c.config(ctx, tx, t, class)
	if err != nil {
		return err
	}
	return c.ensure(ctx, t, class, want)
}
