package chat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

// headerRoom is what a message's headers may add to its body: MaxMsgSize counts both,
// the tenant's limit only the body, which the projector checks exactly.
const headerRoom = 1 << 10

// streamConfig is the stream of a tenant's class. Each write flag that is off here would let
// a poster change more than his own message (NATS.md, "stream flags that must stay off").
func streamConfig(t tenant.Tenant, c tenant.Class) jetstream.StreamConfig {
	limits := t.Limits.Effective(tenant.Plan)
	storage := jetstream.FileStorage
	if c == tenant.Mem {
		storage = jetstream.MemoryStorage
	}
	discard := jetstream.DiscardOld
	if t.Retention.Refuses() {
		discard = jetstream.DiscardNew
	}
	return jetstream.StreamConfig{
		Name:              subject.Stream(t.Account, c),
		Subjects:          []string{subject.StreamSubjects(t.Account, c)},
		Retention:         jetstream.LimitsPolicy,
		MaxConsumers:      -1,
		MaxMsgs:           -1,
		MaxMsgsPerSubject: -1,
		MaxBytes:          limits.StorageBytes,
		MaxMsgSize:        int32(limits.MessageBytes + headerRoom), //nolint:gosec // the limits' bound is 1 MiB
		MaxAge:            t.Retention.Age(c),
		Discard:           discard,
		Storage:           storage,
		Replicas:          1,
		Duplicates:        2 * time.Minute,
		AllowDirect:       true,
		RePublish: &jetstream.RePublish{
			Source:      subject.StreamSubjects(t.Account, c),
			Destination: subject.StreamLive(t.Account, c),
		},
	}
}

// settle fills what only the server or the operator decides from the stream that exists.
func settle(want, have jetstream.StreamConfig) jetstream.StreamConfig {
	want.FirstSeq, want.Replicas, want.Placement = have.FirstSeq, have.Replicas, have.Placement
	want.Metadata, want.ConsumerLimits = have.Metadata, have.ConsumerLimits
	return want
}

// Ensure makes the stream of a tenant's retention class where it is missing, and brings its
// configuration in line with the tenant's limits where it differs. Any number may run at once.
func (c *Chat) Ensure(ctx context.Context, t tenant.Tenant, class tenant.Class) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	var err error
	if subject.IsSharedClass(class) {
		err = c.ensureSharedClass(ctx, t, class)
	} else {
		err = c.ensure(ctx, t, class, streamConfig(t, class))
	}
	if err != nil {
		return fmt.Errorf("ensure stream %s: %w", subject.Stream(t.Account, class), err)
	}
	return nil
}

const sqlStreamTenant = `SELECT tenant_id, account, timezone, limits, retention FROM tenants WHERE tenant_id = $1`

// ensureOf is Ensure by the tenant's row.
func (c *Chat) ensureOf(ctx context.Context, id tenant.TenantID, class tenant.Class) error {
	var t tenant.Tenant
	err := c.pool.QueryRow(ctx, sqlStreamTenant, id).Scan(&t.ID, &t.Account, &t.Timezone, &t.Limits, &t.Retention)
	if err != nil {
		return fromDB(err)
	}
	return c.Ensure(ctx, t, class)
}

func (c *Chat) ensure(ctx context.Context, t tenant.Tenant, class tenant.Class, want jetstream.StreamConfig) error {
	have, err := c.streamInfo(ctx, want.Name)
	if err != nil {
		return err
	}
	first := microseconds()
	if have != nil {
		first = max(have.State.FirstSeq, 1)
	}
	last, err := c.insertStream(ctx, t, class, want.Name, first)
	if err != nil {
		return err
	}
	if have == nil {
		// A sequence must never come twice, even when the clock has gone back.
		want.FirstSeq, want.Replicas = max(first, last+1), c.replicas
		_, err = c.js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
		// Somebody else made it meanwhile.
		if have, err = c.streamInfo(ctx, want.Name); err != nil || have == nil {
			return err
		}
	}
	if want = settle(want, have.Config); !reflect.DeepEqual(want, have.Config) {
		_, err = c.js.UpdateStream(ctx, want)
	}
	return err
}

// microseconds is a first sequence: greater than any that a stream made earlier can
// have reached at less than a million messages a second, and exact in JavaScript until 2255.
func microseconds() uint64 { return uint64(time.Now().UnixMicro()) }

const (
	sqlInsertStream = `INSERT INTO streams (stream, tenant_id, account, class, first_seq, last_seq)
		SELECT $1, tenant_id, account, $3, $4::bigint, $4::bigint - 1 FROM tenants WHERE tenant_id = $2 AND status <> 'deleting'
		ON CONFLICT DO NOTHING`
	sqlStreamLast = `SELECT last_seq FROM streams WHERE stream = $1`
)

// insertStream makes the stream's row where it is missing and returns its cursor.
// A tenant that is deleting, or gone, is not found: it must not get a stream again.
func (c *Chat) insertStream(ctx context.Context, t tenant.Tenant, class tenant.Class, stream string, first uint64) (last uint64, err error) {
	if _, err = c.pool.Exec(ctx, sqlInsertStream, stream, t.ID, class, first); err != nil {
		return 0, fromDB(err)
	}
	err = c.pool.QueryRow(ctx, sqlStreamLast, stream).Scan(&last)
	return last, fromDB(err)
}

const sqlWantedStreams = `SELECT s.stream, s.class, s.first_seq, s.last_seq, t.tenant_id, t.account, t.timezone, t.limits, t.retention
	FROM streams s JOIN tenants t USING (tenant_id) WHERE t.status <> 'deleting' AND ($1 = '' OR t.tenant_id = $1)`

// A wantedStream is a row of streams whose tenant is not deleting.
type wantedStream struct {
	name     string
	class    tenant.Class
	tenant   tenant.Tenant // id, account, time zone, limits and retention
	firstSeq uint64        // the oldest that the read model has
	lastSeq  uint64        // the cursor
}

// wantedStreams are those of a tenant, or of all where t is empty.
func (c *Chat) wantedStreams(ctx context.Context, t tenant.TenantID) ([]wantedStream, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlWantedStreams, t)
	if err != nil {
		return nil, fromDB(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w wantedStream, err error) {
		err = row.Scan(&w.name, &w.class, &w.firstSeq, &w.lastSeq, &w.tenant.ID, &w.tenant.Account, &w.tenant.Timezone,
			&w.tenant.Limits, &w.tenant.Retention)
		return w, err
	})
	return all, fromDB(err)
}

// EnsureAll makes and mends every stream that has a row: memory streams vanish when their
// server restarts. One stream's fault does not keep it from the others; the faults come joined.
func (c *Chat) EnsureAll(ctx context.Context) error {
	wanted, err := c.wantedStreams(ctx, "")
	if err != nil {
		return err
	}
	have, err := c.listStreams(ctx)
	if err != nil {
		return err
	}
	return c.heal(ctx, wanted, have)
}

// Conform brings the streams that a tenant has in line with its limits and its retention.
func (c *Chat) Conform(ctx context.Context, t tenant.Tenant) error {
	wanted, err := c.wantedStreams(ctx, t.ID)
	if err != nil {
		return err
	}
	return c.heal(ctx, wanted, nil)
}

// heal ensures the wanted streams that are missing or of another configuration.
func (c *Chat) heal(ctx context.Context, wanted []wantedStream, have map[string]*jetstream.StreamInfo) error {
	var faults []error
	for _, w := range wanted {
		if err := c.healOne(ctx, w, have[w.name]); err != nil && !errors.Is(err, tenant.ErrNotFound) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (c *Chat) healOne(ctx context.Context, w wantedStream, info *jetstream.StreamInfo) error {
	want, err := c.config(ctx, c.pool, w.tenant, w.class)
	if err != nil || info != nil && reflect.DeepEqual(settle(want, info.Config), info.Config) {
		return err
	}
	return c.Ensure(ctx, w.tenant, w.class) // which reads once more: the list may be old
}

// skip makes a stream that a power cut has set back (an acknowledgement comes before the disk has
// the message) go on behind its cursor: what was stored under sequences that were projected before
// would never be read. It stores empty messages where nobody posts or listens.
func (c *Chat) skip(ctx context.Context, w wantedStream, last uint64) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	for last < w.lastSeq {
		ack, err := c.js.Publish(ctx, subject.Nowhere(w.tenant.Account, w.class), nil)
		if err != nil {
			return err
		}
		last = ack.Sequence
	}
	return nil
}

const sqlDropStreams = `DELETE FROM streams WHERE tenant_id = $1`

// DropStreams removes all streams of a tenant with their messages. The caller has set the
// tenant's status to deleting, so that no Ensure makes them again.
func (c *Chat) DropStreams(ctx context.Context, t tenant.Tenant) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	rows, err := c.pool.Query(ctx, sqlStreamsOf, t.ID)
	names, err := collect(rows, err, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list the streams of tenant %s: %w", t.ID, err)
	}
	for _, name := range names {
		if err := c.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("delete stream %s: %w", name, err)
		}
	}
	if _, err := c.pool.Exec(ctx, sqlDropStreams, t.ID); err != nil {
		return fmt.Errorf("delete the streams of tenant %s: %w", t.ID, fromDB(err))
	}
	return nil
}
