package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"parley/internal/embednats"
)

const (
	// replicas is how many servers of a cluster keep each stream.
	replicas    = 3
	keepersPoll = 100 * time.Millisecond
	// connectTimeout is longer than the servers' bound on being let in.
	connectTimeout = 5 * time.Second
)

// What the configuration of one server says.
type (
	ServerFile = embednats.File
	TLSFiles   = embednats.Files
)

// ClusterFile returns the configuration of one server of a NATS cluster, with the operator and accounts of
// c's database; the first caller makes them. f holds what is about the server alone.
func ClusterFile(ctx context.Context, c Config, f ServerFile) (string, error) {
	a := &app{Config: c, failed: make(chan error, 1)}
	text, err := a.clusterFile(ctx, f)
	if stopped := a.stop(); err == nil {
		err = stopped
	}
	return text, err
}

func (a *app) clusterFile(ctx context.Context, f ServerFile) (_ string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if a.DatabaseURL == "" {
		return "", errNoDatabase
	}
	if a.dir, err = makeData(a.Data); err != nil { // a process that runs here may hold it
		return "", err
	}
	if err := a.startDatabase(ctx); err != nil {
		return "", err
	}
	if err := a.openKeys(ctx); err != nil {
		return "", err
	}
	if f.Preload, err = a.system.OwnAccounts(ctx); err != nil {
		return "", err
	}
	if f.Sentinel, err = a.system.Sentinel(); err != nil {
		return "", err
	}
	f.Operator = a.system.Operator()
	operator, err := jwt.DecodeOperatorClaims(f.Operator)
	if err != nil {
		return "", err
	}
	f.System = operator.SystemAccount
	return f.Text()
}

var errNoDatabase = errors.New("--database-url is needed: servers of a cluster and all that runs beside it share one database")

// The roles that a process can have.
const (
	roleControl = "control" // reconciles the accounts, forgets sessions, works off jobs, keeps the journal and the seals
	roleCallout = "callout" // decides who gets in
	roleChat    = "chat"    // answers the chat API, projects
	roleConsole = "console" // HTTP API and console
)

var allRoles = []string{roleControl, roleCallout, roleChat, roleConsole}

// plays reports whether this process has a role.
func (c Config) plays(role string) bool { return len(c.Roles) == 0 || slices.Contains(c.Roles, role) }

// clustered reports whether the NATS servers run elsewhere.
func (c Config) clustered() bool { return c.NATSURL != "" }

func (c Config) checkCluster(fault func(flag, format string, args ...any)) {
	for _, r := range c.Roles {
		if !slices.Contains(allRoles, r) {
			fault("roles", "%q must be of %s", r, strings.Join(allRoles, ", "))
		}
	}
	if !c.clustered() {
		if len(c.Roles) > 0 {
			fault("roles", "needs --nats-url: the embedded server needs all roles beside it")
		}
		return
	}
	for u := range strings.SplitSeq(c.NATSURL, ",") {
		if !strings.HasPrefix(u, "nats://") && !strings.HasPrefix(u, "tls://") {
			fault("nats-url", "%q must begin with nats:// or tls://", u)
		}
	}
	if c.DatabaseURL == "" {
		fault("database-url", "is needed with --nats-url: what runs beside a cluster shares one database")
	}
	if c.PublicWS == "" {
		fault("public-ws", "is needed with --nats-url: where browsers reach the servers' WebSocket port, as wss://chat.example.com")
	}
}

// reach is how a connection of the platform finds NATS.
func (a *app) reach() (url string, opts []nats.Option) {
	if a.clustered() {
		// A server that starts, or takes its accounts from another, refuses for a moment.
		return a.NATSURL, []nats.Option{nats.IgnoreAuthErrorAbort(), nats.Timeout(connectTimeout)}
	}
	return "", []nats.Option{nats.InProcessServer(a.server)}
}

// addresses are where clients find NATS.
func (a *app) addresses() (natsURL, ws string) {
	if a.clustered() {
		first, _, _ := strings.Cut(a.NATSURL, ",")
		return first, a.PublicWS
	}
	return a.server.ClientURL(), a.server.WebsocketURL()
}

// awaitKeepers waits until enough servers can keep a stream: a cluster that has just started takes a moment.
func (a *app) awaitKeepers(ctx context.Context) error {
	if !a.clustered() {
		return nil
	}
	tick := time.NewTicker(keepersPoll)
	defer tick.Stop()
	for {
		n, err := a.accounts.Keepers(ctx)
		if err == nil && n >= replicas {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("--nats-url: %d servers can keep streams, and each stream is kept by %d: start them with the configuration of parley nats config", n, replicas), err)
		}
	}
}

func (a *app) streamReplicas() int {
	if a.clustered() {
		return replicas
	}
	return 1
}
