// Package chat keeps the JetStream streams, projects them into Postgres, answers
// the chat API over NATS, and posts and reads for the HTTP API. It joins the PARLEY
// account as one user and sees every tenant's messages there, so it must never act on
// a subject that package subject did not parse, and must never publish an answer that
// could pass for a chat message.
package chat

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"parley/tenant"
)

// Rooms are the operations on rooms that change records and rights.
type Rooms interface {
	Join(ctx context.Context, t tenant.TenantID, u tenant.UserID, r tenant.RoomID) (tenant.Room, error)
	Leave(ctx context.Context, t tenant.TenantID, u tenant.UserID, r tenant.RoomID) error
	// MuteFlooder keeps a user from posting for tenant.FloodMute, and tells him.
	MuteFlooder(ctx context.Context, t tenant.TenantID, u tenant.UserID, r tenant.RoomID, seq uint64) error
	OpenDirect(ctx context.Context, t tenant.TenantID, u, other tenant.UserID) (tenant.Room, error)
	Settings
	Moderation
	Blocking
}

// Config of a Chat. Conn, Pool and Rooms are required.
type Config struct {
	Conn     *nats.Conn // of a user in the PARLEY account, with the JetStream API
	Pool     *pgxpool.Pool
	Rooms    Rooms
	Replicas int                   // of the streams that are made; 0: 1
	Logger   *slog.Logger          // nil: silent
	Registry prometheus.Registerer // nil: metrics are kept but not exported
}

// A Chat is the chat role. Its methods work before and after Run, which serves the
// chat API and, in one process at a time, projects.
type Chat struct {
	conn      *nats.Conn
	js        jetstream.JetStream
	pool      *pgxpool.Pool
	rooms     Rooms
	replicas  int // of new streams
	log       *slog.Logger
	metrics   *metrics
	progress  *progress
	watches   *watches
	receipts  receipts
	timing    timing
	searching searchBounds
	now       func() time.Time
	sharing   chan struct{}             // held by whoever changes a stream of shared rooms
	leading   atomic.Pointer[projector] // nil while another process projects
}

// timing is how often and how long; tests shorten it.
type timing struct {
	call      time.Duration // bound of one call to NATS or Postgres
	answer    time.Duration // bound of one request to the chat API
	elect     time.Duration // between attempts to become the leader
	keepalive time.Duration // of the leader's lock
	check     time.Duration // between comparisons of all streams with their rows
	measure   time.Duration // between two writings of what the streams hold
	retry     time.Duration // after a fault of one stream
	readWait  time.Duration // what a read waits for the projection
	readPoll  time.Duration // between looks at the cursor when another process projects
	coalesce  time.Duration // between two notices of the same to the same user
}

var defaultTiming = timing{
	call:      5 * time.Second,
	answer:    3 * time.Second,
	elect:     time.Second,
	keepalive: time.Second,
	check:     5 * time.Second,
	measure:   time.Minute,
	retry:     500 * time.Millisecond,
	readWait:  2 * time.Second,
	readPoll:  25 * time.Millisecond,
	coalesce:  time.Second,
}

// New returns a Chat over its connections, which stay the caller's to close.
func New(c Config) (*Chat, error) {
	if c.Conn == nil || c.Pool == nil || c.Rooms == nil {
		return nil, errors.New("chat: Config needs Conn, Pool and Rooms")
	}
	js, err := jetstream.New(c.Conn)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registry)
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Chat{
		conn: c.Conn, js: js, pool: c.Pool, rooms: c.Rooms, log: c.Logger, replicas: max(c.Replicas, 1),
		metrics: m, progress: newProgress(), watches: newWatches(), sharing: make(chan struct{}, 1), timing: defaultTiming, searching: realSearch, now: time.Now,
	}, nil
}

// Run serves the chat API and stands for election as the projector, until ctx ends or
// the API can't be served. It returns when all that it started has ended.
func (c *Chat) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { c.stand(ctx) })
	wg.Go(func() { c.watch(ctx) })
	wg.Go(func() { c.tellReceipts(ctx) })
	err := c.serveAPI(ctx)
	stop()
	wg.Wait()
	return err
}
