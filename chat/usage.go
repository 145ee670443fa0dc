package chat

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/tenant"
)

// usageEvery is how often the day's usage is written: the most connections of a day are those of these moments.
const usageEvery = 10 * time.Minute

const (
	// Rooms keep count of their messages, and indexes hold the rest: nothing here grows with the messages.
	sqlUsage = `SELECT t.limits,
			(SELECT count(*) FROM sessions s WHERE s.account = t.account),
			(SELECT count(*) FROM users u WHERE u.tenant_id = t.tenant_id AND u.status <> 'deleted'),
			(SELECT count(*) FROM rooms r WHERE r.tenant_id = t.tenant_id AND r.state <> 'deleted' AND r.kind <> 'direct'),
			m.stored, m.kept
		FROM tenants t CROSS JOIN LATERAL (
			SELECT coalesce(sum(h.last_n), 0)::bigint AS stored, coalesce(sum(h.last_n - h.first_n + 1), 0)::bigint AS kept
			FROM rooms r JOIN room_heads h USING (room_pk) WHERE r.tenant_id = t.tenant_id) m
		WHERE t.tenant_id = $1 AND t.status <> 'deleting'`
	sqlUsageDays = `SELECT to_char(day, 'YYYY-MM-DD'), messages - coalesce(lag(messages) OVER (ORDER BY day), 0), bytes, connections, users, rooms
		FROM usage_days WHERE tenant_id = $1 ORDER BY day DESC LIMIT $2`
)

// Usage tells what a tenant uses now, and on the last days, oldest first.
func (c *Chat) Usage(ctx context.Context, t tenant.TenantID, days int) (tenant.Usage, []tenant.UsageDay, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	var u tenant.Usage
	var l tenant.Limits
	err := c.pool.QueryRow(ctx, sqlUsage, t).
		Scan(&l, &u.Connections.Used, &u.Users.Used, &u.Rooms.Used, &u.Messages.Stored, &u.Messages.Kept)
	if err != nil {
		return tenant.Usage{}, nil, fromDB(err)
	}
	l = l.Effective(tenant.Plan)
	u.Connections.Limit, u.Users.Limit, u.Rooms.Limit = l.Connections, l.Users, l.Rooms
	if u.Storage, err = c.storage(ctx, t, l); err != nil {
		return tenant.Usage{}, nil, err
	}
	rows, err := c.pool.Query(ctx, sqlUsageDays, t, days)
	list, err := collect(rows, err, pgx.RowToStructByPos[tenant.UsageDay])
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return u, list, err
}

// storage asks the streams of a tenant what they hold.
func (c *Chat) storage(ctx context.Context, t tenant.TenantID, l tenant.Limits) (map[tenant.Class]tenant.ClassUse, error) {
	wanted, err := c.wantedStreams(ctx, t)
	if err != nil {
		return nil, err
	}
	all := map[tenant.Class]tenant.ClassUse{}
	for _, w := range wanted {
		info, err := c.streamInfo(ctx, w.name)
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", unavailable("the message store"), err)
		}
		use := tenant.ClassUse{Limit: l.StorageBytes}
		if info != nil {
			use.Messages, use.Bytes = info.State.Msgs, info.State.Bytes
		}
		all[w.class] = use
	}
	return all, nil
}

const (
	sqlWriteUsage = `INSERT INTO usage_days (tenant_id, day, messages, bytes, connections, users, rooms)
		SELECT t.tenant_id, $1::date, coalesce(m.n, 0), coalesce(b.n, 0), coalesce(s.n, 0), coalesce(u.n, 0), coalesce(r.n, 0)
		FROM tenants t
		LEFT JOIN (SELECT tenant_id, sum(last_n) AS n FROM rooms JOIN room_heads USING (room_pk) GROUP BY 1) m USING (tenant_id)
		LEFT JOIN (SELECT id AS tenant_id, sum(n) AS n FROM unnest($2::text[], $3::bigint[]) AS x (id, n) GROUP BY 1) b USING (tenant_id)
		LEFT JOIN (SELECT account, count(*) AS n FROM sessions GROUP BY 1) s USING (account)
		LEFT JOIN (SELECT tenant_id, count(*) AS n FROM users WHERE status <> 'deleted' GROUP BY 1) u USING (tenant_id)
		LEFT JOIN (SELECT tenant_id, count(*) AS n FROM rooms WHERE state <> 'deleted' AND kind <> 'direct' GROUP BY 1) r USING (tenant_id)
		WHERE t.status <> 'deleting'
		ON CONFLICT (tenant_id, day) DO UPDATE SET messages = greatest(usage_days.messages, excluded.messages), bytes = excluded.bytes,
			connections = greatest(usage_days.connections, excluded.connections), users = excluded.users, rooms = excluded.rooms`
	sqlForgetUsage = `DELETE FROM usage_days WHERE day < $1::date - $2::int`
)

// recordUsage writes the usage of all tenants, at once and at an interval, until ctx ends.
func (p *projector) recordUsage(ctx context.Context) {
	write := func() {
		if err := p.chat.writeUsage(ctx); err != nil && ctx.Err() == nil {
			p.chat.log.WarnContext(ctx, "usage is not written", "error", err)
		}
	}
	write()
	ticker(ctx, usageEvery, write)
}

func (c *Chat) writeUsage(ctx context.Context) error {
	wanted, err := c.wantedStreams(ctx, "")
	if err != nil {
		return err
	}
	have, err := c.listStreams(ctx)
	if err != nil {
		return err
	}
	var ids []tenant.TenantID
	var bytes []uint64
	for _, w := range wanted {
		if info := have[w.name]; info != nil {
			ids, bytes = append(ids, w.tenant.ID), append(bytes, info.State.Bytes)
		}
	}
	// One statement for all tenants, and time for many of them.
	ctx, cancel := context.WithTimeout(ctx, 10*c.timing.call)
	defer cancel()
	today := c.now().UTC()
	if _, err = c.pool.Exec(ctx, sqlWriteUsage, today, ids, bytes); err != nil {
		return err
	}
	_, err = c.pool.Exec(ctx, sqlForgetUsage, today, tenant.MaxUsageDays)
	return err
}
