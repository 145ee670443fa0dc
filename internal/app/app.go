// Package app is the composition root: it builds the parts of one Parley process from
// a Config, starts and stops them in order, and holds no rules of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/authcallout"
	"parley/chat"
	"parley/internal/embednats"
	"parley/internal/outbound"
	"parley/tenant"
	"parley/tenant/pgstore"
)

// Bounds of starting and stopping.
const (
	startTimeout = 2 * time.Minute // the first start makes a database
	stopTimeout  = 9 * time.Second
)

// Run runs a server until ctx ends, and returns when all of it has ended. It prints
// `parley ready` with the addresses once everything answers.
func Run(ctx context.Context, c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	dir, err := openData(c.Data)
	if err != nil {
		return err
	}
	a := &app{Config: c, dir: dir, registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	defer runtime.KeepAlive(makeBallast())
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.onStop("data folder", func(context.Context) error { return dir.close() })
	err = a.start(ctx)
	if err == nil {
		err = a.wait(ctx)
	} else if ctx.Err() != nil {
		err = nil // told to stop while starting
	}
	return errors.Join(err, a.stop())
}

// ballastBytes is what the garbage collector believes to be in use on top of what is.
const ballastBytes = 64 << 20

// makeBallast makes memory that is never touched, and so never had. The collector runs whenever what is in use
// has doubled: with the 30 MB of a small server that is after every few hundred posts.
func makeBallast() []byte { return make([]byte, ballastBytes) }

// app is a process that is starting, running or stopping.
type app struct {
	Config
	dir      *dataDir
	registry *prometheus.Registry
	ports    tlsConfigs
	pool     *pgxpool.Pool
	keys     *keyring.Keyring
	system   *accounts.System
	server   *embednats.Server
	notices  *nats.Conn // in RoleNotices
	accounts *accounts.Accounts
	store    *pgstore.Store
	trail    *trail
	chat     *chat.Chat
	service  *tenant.Service
	people   *tenant.People

	stops  []stopper  // in the order of starting
	failed chan error // the first part that ended by itself
}

type stopper struct {
	name string
	stop func(context.Context) error
}

// onStop has stop called when the process ends, before what was started earlier is stopped.
func (a *app) onStop(name string, stop func(context.Context) error) {
	a.stops = append(a.stops, stopper{name, stop})
}

// background runs a part until it is stopped. One that ends by itself ends the process:
// it is better started again whole than left half alive.
func (a *app) background(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		err := run(ctx)
		if ctx.Err() == nil {
			a.fail(fmt.Errorf("%s ended: %w", name, err))
		}
	})
	a.onStop(name, func(context.Context) error {
		cancel()
		done.Wait()
		return nil
	})
}

func (a *app) fail(err error) {
	select {
	case a.failed <- err:
	default: // another part was first
	}
}

func (a *app) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.failed:
		return err
	}
}

// stop stops everything in the reverse order of starting.
func (a *app) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for i := len(a.stops) - 1; i >= 0; i-- {
		if err := a.stops[i].stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", a.stops[i].name, err))
		}
	}
	return errors.Join(errs...)
}

// start brings up the parts, each on those before it.
func (a *app) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// What can be refused is tried first: a taken port shall not cost a database.
	listeners, err := a.listen(ctx)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		a.startDatabase, a.openKeys, a.startStore, a.startJournal, a.startTrail, a.startNATS, a.startAccounts, a.awaitKeepers, a.startRoles, a.startJobs,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return a.startHTTP(ctx, listeners)
}

// connect connects in a role of the platform.
func (a *app) connect(r accounts.Role) (*nats.Conn, error) {
	opts, err := a.system.Login(r)
	if err != nil {
		return nil, err
	}
	log := a.Logger.With("role", string(r))
	url, how := a.reach()
	opts = append(append(opts, how...), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("nats connection", "error", err)
		}))
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect as %s: %w", r, err)
	}
	a.onStop("connection of "+string(r), func(context.Context) error {
		nc.Close()
		return nil
	})
	return nc, nil
}

// startStore opens the records, and writes the refusals that the roles tell.
func (a *app) startStore(context.Context) (err error) {
	if a.store, err = pgstore.New(pgstore.Config{Pool: a.pool, Logger: a.Logger}); err != nil {
		return err
	}
	a.background("refusal writer", a.store.Run)
	return nil
}

// startRoles builds the domain's service with the roles around it, and has those run that this process has.
func (a *app) startRoles(ctx context.Context) error {
	nc, err := a.connect(accounts.RoleChat)
	if err != nil {
		return err
	}
	hasher, err := authcallout.NewHasher(0)
	if err != nil {
		return err
	}
	rooms := &lateRooms{}
	if a.chat, err = chat.New(chat.Config{Conn: nc, Pool: a.pool, Rooms: rooms, Replicas: a.streamReplicas(), Logger: a.Logger, Registry: a.registry}); err != nil {
		return err
	}
	if a.service, err = tenant.NewService(tenant.Config{Store: a.store, Accounts: a.accounts, Streams: a.chat, Passwords: hasher, PrivateURLs: a.PrivateURLs}); err != nil {
		return err
	}
	rooms.Service = a.service
	if a.people, err = tenant.NewPeople(tenant.PeopleConfig{Store: a.store, Service: a.service, Passwords: hasher, SignUp: tenant.SignUp(a.SignUp)}); err != nil {
		return err
	}
	if err := a.startChat(ctx); err != nil {
		return err
	}
	return a.startCallout(hasher)
}

func (a *app) startChat(ctx context.Context) error {
	if !a.plays(roleChat) {
		return nil
	}
	if err := a.chat.EnsureAll(ctx); err != nil { // memory streams went with the last process
		return err
	}
	a.background("chat", a.chat.Run)
	return nil
}

// lateRooms closes the ring of service and chat: each asks the other for something.
type lateRooms struct{ *tenant.Service }

func (a *app) startCallout(hasher *authcallout.Hasher) error {
	if !a.plays(roleCallout) {
		return nil
	}
	nc, err := a.connect(accounts.RoleCallout)
	if err != nil {
		return err
	}
	recorder := accounts.NewRecorder(a.pool, a.Logger, a.notices)
	a.background("session recorder", func(ctx context.Context) error {
		recorder.Run(ctx)
		return nil
	})
	callout, err := authcallout.New(authcallout.Config{
		Conn: nc, AuthAccount: a.system.AuthAccount(), AuthSigner: a.system.AuthSigner(), XKey: a.system.AuthXKey(),
		Directory: a.store, Keys: a.keys, Sessions: recorder, Refusals: a.store, Users: a.service, Hasher: hasher,
		HTTP:   outbound.NewClient(outbound.Config{AllowPrivate: a.PrivateURLs}),
		Logger: a.Logger, Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.onStop("callout", func(context.Context) error {
		callout.Stop()
		return nil
	})
	return callout.Start()
}

// ready tells where everything answers, in a file and on the console.
func (a *app) ready(r RunInfo) error {
	r.PID = os.Getpid()
	if err := a.dir.writeRunInfo(r); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.Out, "parley ready http=%s nats=%s ws=%s metrics=%s data=%s\n", r.HTTP, r.NATS, r.WS, r.Metrics, a.dir.path)
	a.Logger.Info("ready", slog.String("http", r.HTTP), slog.String("nats", r.NATS))
	return err
}
