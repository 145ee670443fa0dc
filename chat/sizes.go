package chat

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

const sqlWriteSizes = `INSERT INTO stream_sizes (stream, messages, bytes)
	SELECT stream, z.messages, z.bytes FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS z (stream, messages, bytes) JOIN streams USING (stream)
	ON CONFLICT (stream) DO UPDATE SET messages = excluded.messages, bytes = excluded.bytes
	WHERE (stream_sizes.messages, stream_sizes.bytes) <> (excluded.messages, excluded.bytes)`

// writeSizes writes what the streams hold, now and then: asking all of them for each page that shows
// it would cost more than it is worth.
func (p *projector) writeSizes(ctx context.Context, have map[string]*jetstream.StreamInfo) error {
	now := p.chat.now()
	if now.Sub(p.sized) < p.chat.timing.measure {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.chat.timing.call)
	defer cancel()
	var names []string
	var messages, bytes []uint64
	for name, info := range have {
		names, messages, bytes = append(names, name), append(messages, info.State.Msgs), append(bytes, info.State.Bytes)
	}
	if _, err := p.chat.pool.Exec(ctx, sqlWriteSizes, names, messages, bytes); err != nil {
		return err
	}
	p.sized = now
	return nil
}
