package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	idleConns = 1000
	idleRooms = 10 // open rooms that each listens to
)

// memory measures what the server's process holds for connections that only listen: heap and
// stacks without garbage, of NATS and, in Parley's, of all that goes with a connection.
func memory(ctx context.Context, b *bench) error {
	n := b.count(idleConns)
	t := table{head: []string{"", "KiB for each connection", "ratio"}}
	var base float64
	for _, v := range []struct {
		name   string
		server *process
		proof  func(int) nats.Option
	}{
		{"operator JWT, no callout", b.jwts, func(i int) nats.Option { return nats.UserCredentialBytes([]byte(b.jwts.Creds[i])) }},
		{"Parley, token", b.parley, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) }},
	} {
		each, err := perConnection(ctx, v.server, n, v.proof)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if base == 0 {
			base = each
		}
		t.rows = append(t.rows, []string{v.name, fmt.Sprintf("%.1f", each/1024), fmt.Sprintf("%.2f", each/base)})
	}
	fmt.Fprintf(b.out, "\n## Memory\n\n%d idle connections, each with subscriptions to %d open rooms.\n", n, idleRooms)
	t.print(b.out)
	return nil
}

func perConnection(ctx context.Context, server *process, n int, proof func(int) nats.Option) (float64, error) {
	before, err := server.memory(ctx)
	if err != nil {
		return 0, err
	}
	conns, err := dialAll(n, server.NATS, func(i int) nats.Option { return proof(i % users) })
	defer closeAll(conns)
	if err != nil {
		return 0, err
	}
	for _, nc := range conns {
		if err := listenIdle(nc); err != nil {
			return 0, err
		}
	}
	if err := pause(ctx, settle); err != nil {
		return 0, err
	}
	after, err := server.memory(ctx)
	return (float64(after) - float64(before)) / float64(n), err
}

func listenIdle(nc *nats.Conn) error {
	for i := range idleRooms {
		p := subject.Post{Class: tenant.Std, Kind: tenant.Open, Room: tenant.RoomID(fmt.Sprint("r", i)), Sender: subject.Any}
		if _, err := nc.Subscribe(p.Live(), func(*nats.Msg) {}); err != nil {
			return err
		}
	}
	return nc.Flush()
}
