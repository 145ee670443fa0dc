package chat

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
)

const sqlStreamPage = `SELECT s.stream, s.tenant_id, s.class, s.last_seq, t.limits
	FROM streams s JOIN tenants t USING (tenant_id)
	WHERE t.status <> 'deleting' AND s.tenant_id || '/' || s.class > $1
		AND strpos(lower(s.tenant_id || ' ' || t.name || ' ' || s.class || ' ' || s.stream), lower($2)) > 0
	ORDER BY s.tenant_id || '/' || s.class LIMIT $3`

// StreamInfos lists streams by tenant and class. It knows no actors: the caller asks first.
func (c *Chat) StreamInfos(ctx context.Context, p tenant.Page) ([]tenant.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlStreamPage, p.After, p.Query, min(max(p.Limit, 1), 1000))
	all, err := collect(rows, err, scanStream)
	if err != nil {
		return nil, err
	}
	for i := range all {
		info, err := c.streamInfo(ctx, all[i].Stream)
		if err != nil {
			return nil, fmt.Errorf("%w (%w)", unavailable("the message store"), err)
		}
		describe(&all[i], info)
	}
	return all, nil
}

func scanStream(row pgx.CollectableRow) (s tenant.Stream, err error) {
	var l tenant.Limits
	err = row.Scan(&s.Stream, &s.Tenant, &s.Class, &s.Projected, &l)
	s.Bytes.Limit = l.Effective(tenant.Plan).StorageBytes
	return s, err
}

// describe fills what the stream's leader tells; nil: it has no such stream.
func describe(s *tenant.Stream, info *jetstream.StreamInfo) {
	if info == nil {
		s.Missing = true
		return
	}
	s.Messages, s.Bytes.Used = int64(info.State.Msgs), int64(info.State.Bytes) //nolint:gosec // G115: a stream has less than 2^63 of them
	s.First, s.Last, s.Replicas = info.State.FirstSeq, info.State.LastSeq, int64(info.Config.Replicas)
	if s.Last > s.Projected {
		s.Lag = s.Last - s.Projected
	}
	if info.Cluster == nil || s.Replicas < 2 { // one server names itself by a key
		return
	}
	s.Leader = info.Cluster.Leader
	for _, r := range info.Cluster.Replicas {
		if r.Offline || !r.Current {
			s.Behind++
		}
	}
}
