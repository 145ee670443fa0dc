package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"

	"parley/internal/cluster"
	"parley/internal/embedpg"
	"parley/migrations"
	"parley/tenant"
)

// orderTimeout bounds one order to the cluster.
const orderTimeout = time.Minute

// startCluster runs three NATS servers, the control role and a callout for each server, with a
// Postgres of their own. It takes the orders `user ID` (answers a token), `rooms ID N` (makes a user a
// member of N private rooms) and `revoke ID` (answers how many connections were closed).
func startCluster(dir string) (ready, func() error, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	pg, err := embedpg.Start(ctx, embedpg.Config{Dir: filepath.Join(dir, "postgres")})
	if err != nil {
		return ready{}, nil, err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return pg.Stop(ctx)
	}
	pool, err := pgxpool.New(ctx, pg.URL())
	if err != nil {
		return ready{}, nil, errors.Join(err, stop())
	}
	c, err := furnishCluster(ctx, pool, filepath.Join(dir, "nats"))
	if err != nil {
		pool.Close()
		return ready{}, nil, errors.Join(err, stop())
	}
	r := ready{order: clusterOrders{pool, c.Service}.take}
	for i := range c.Nodes {
		r.Nodes = append(r.Nodes, c.URL(i))
	}
	return r, func() error {
		c.Stop()
		pool.Close()
		return stop()
	}, nil
}

func furnishCluster(ctx context.Context, pool *pgxpool.Pool, dir string) (*cluster.Cluster, error) {
	if err := migrations.Up(ctx, pool); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, cluster.Config{Pool: pool, Dir: dir, Callouts: 3})
	if err != nil {
		return nil, err
	}
	if _, _, err := c.Service.CreateTenant(ctx, tenant.Operator(), tenant.NewTenant{ID: tenantID}); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

type clusterOrders struct {
	pool    *pgxpool.Pool
	service *tenant.Service
}

func (c clusterOrders) take(order, args string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), orderTimeout)
	defer cancel()
	var u tenant.UserID
	var n int
	if _, err := fmt.Sscan(args, &u, &n); err != nil && order == "rooms" {
		return nil, err
	}
	switch order {
	case "user":
		if _, _, err := c.service.PutUser(ctx, tenant.Operator(), tenantID, u, tenant.UserSpec{}); err != nil {
			return nil, err
		}
		token, _, err := c.service.MintToken(ctx, tenant.Operator(), tenantID, u, time.Hour)
		return token.Reveal(), err
	case "revoke":
		r, err := c.service.RevokeUser(ctx, tenant.Operator(), tenantID, u, "bench")
		return r.Disconnected, err
	case "rooms":
		return nil, c.rooms(ctx, u, n)
	}
	return nil, fmt.Errorf("no order %q", order)
}

const (
	insertRooms = `
INSERT INTO rooms (tenant_id, room_id, kind, class, title, created_at, changed_at)
SELECT $1, $2 || '-' || i, 'private', 'std', '', now(), now() FROM generate_series(1, $3) i`
	insertMembers = `
INSERT INTO members (room_pk, tenant_id, user_id, role, state, joined_at)
SELECT room_pk, $1, $2, 'member', 'joined', now() FROM rooms WHERE tenant_id = $1 AND room_id LIKE $2 || '-%'`
	insertHeads = `
INSERT INTO room_heads (room_pk, last_n, last_seq, last_at)
SELECT room_pk, 1, 1, now() - random() * interval '30 days' FROM rooms WHERE tenant_id = $1 AND room_id LIKE $2 || '-%'`
)

// rooms makes them as rows: over the API they would take minutes.
func (c clusterOrders) rooms(ctx context.Context, u tenant.UserID, n int) error {
	if _, err := c.pool.Exec(ctx, insertRooms, tenantID, string(u), n); err != nil {
		return err
	}
	for _, sql := range []string{insertMembers, insertHeads} {
		if _, err := c.pool.Exec(ctx, sql, tenantID, string(u)); err != nil {
			return err
		}
	}
	_, err := c.pool.Exec(ctx, "VACUUM ANALYZE rooms, members, room_heads")
	return err
}

// onCluster runs fn with a cluster that goes with it: three servers are much to keep while others are measured.
func onCluster(ctx context.Context, fn func(*process) error) error {
	dir, err := folder()
	if err != nil {
		return err
	}
	p, err := startChild(ctx, roleCluster, dir)
	if err == nil {
		err = errors.Join(fn(p), p.stop())
	}
	return errors.Join(err, os.RemoveAll(dir))
}

const roomsARound = 40

// rooms measures connects of users with many rooms: a connection lists the latest 50.
func rooms(ctx context.Context, b *bench) error {
	return onCluster(ctx, func(p *process) error {
		var variants []variant
		n := b.count(roomsARound)
		for _, count := range []int{50, 500, 5000} {
			u := tenant.UserID(fmt.Sprint("many", count))
			var token string
			if err := p.order(ctx, "user "+string(u), &token); err != nil {
				return err
			}
			if err := p.order(ctx, fmt.Sprint("rooms ", u, " ", count), nil); err != nil {
				return err
			}
			variants = append(variants, variant{fmt.Sprint("a user with ", count, " rooms"), p, n, connectingAs(n, p.Nodes[0], u, token)})
		}
		results, err := interleave(ctx, b.rounds(), variants)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "\n## Connects of users with many private rooms\n\n%d in each of %d rounds, to one server of three.\n", n, b.rounds())
		tell(b.out, "connect", results)
		return nil
	})
}

func connectingAs(n int, url string, u tenant.UserID, token string) func(context.Context) (outcome, error) {
	return func(context.Context) (o outcome, err error) {
		begun := time.Now()
		for range n {
			start := time.Now()
			nc, err := dial(url, u, nats.Token(token))
			if err != nil {
				return o, err
			}
			o.each = append(o.each, time.Since(start))
			nc.Close()
		}
		o.wall = time.Since(begun)
		return o, nil
	}
}

const clusterVictims = 1000

// clusterRevoke measures revocations on three servers: each victim has connections to two of them.
func clusterRevoke(ctx context.Context, b *bench) error {
	return onCluster(ctx, func(p *process) error {
		n := b.count(clusterVictims)
		gone := make(chan time.Time, connections*n)
		var mu sync.Mutex
		open := 0
		conns := make([]*nats.Conn, 0, connections*n)
		defer func() { closeAll(conns) }()
		for i := range n {
			var token string
			if err := p.order(ctx, "user "+string(victim(i)), &token); err != nil {
				return err
			}
			for k := range connections {
				nc, err := dial(p.Nodes[(i+k)%len(p.Nodes)], victim(i), nats.Token(token), nats.ClosedHandler(func(*nats.Conn) {
					mu.Lock()
					open--
					mu.Unlock()
					gone <- time.Now()
				}))
				if err != nil {
					return err
				}
				conns = append(conns, nc)
			}
		}
		mu.Lock()
		open = len(conns)
		mu.Unlock()
		var closed, answered []time.Duration
		counted := 0
		for i := range n {
			var disconnected int
			begun := time.Now()
			if err := p.order(ctx, "revoke "+string(victim(i)), &disconnected); err != nil {
				return err
			}
			answered = append(answered, time.Since(begun))
			counted += disconnected
			var last time.Duration
			for range connections {
				select {
				case at := <-gone:
					last = max(last, at.Sub(begun))
				case <-time.After(10 * time.Second):
					return fmt.Errorf("a connection of %s was not closed", victim(i))
				}
			}
			closed = append(closed, last)
			mu.Lock()
			left := open
			mu.Unlock()
			if left != len(conns)-connections*(i+1) {
				return fmt.Errorf("%d connections are open, want %d", left, len(conns)-connections*(i+1))
			}
		}
		fmt.Fprintf(b.out, "\n## Revocations on three servers\n\n%d users with a connection to each of two servers, one after the other, of %d connections in all; %d counted as closed.\n",
			n, len(conns), counted)
		tellTimes(b.out, []times{{"last connection seen closed by its client", closed}, {"answer", answered}})
		return nil
	})
}
