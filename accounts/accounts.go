package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"parley/accounts/keyring"
	"parley/tenant"
)

// requestTimeout bounds what servers are asked; they answer within milliseconds.
const requestTimeout = 2 * time.Second

// Config of Accounts. All fields but Now are required.
type Config struct {
	System *System
	SYS    *nats.Conn // in RoleControl
	PARLEY *nats.Conn // in RoleNotices
	// Refusals takes what the servers refused without asking the callout. It must not wait.
	Refusals interface{ Refuse(r tenant.Refusal) }
	// Aside leaves to other processes what one of them does for all: Run is not called.
	Aside bool
}

// Accounts is the control role: it alone pushes claims and closes connections. It
// satisfies tenant.Accounts. Its methods work without Run, which heals and tidies.
type Accounts struct {
	*System
	parley *nats.Conn
	sys    *nats.Conn
	box    *mailbox
	nodes  *nodes
	kicked kicks
	left   chan departure
	direct chan arrival
	knocks chan knock
	told   func(tenant.Refusal)
	subs   []*nats.Subscription
}

var _ tenant.Accounts = (*Accounts)(nil)

// New subscribes to what the servers tell and finds out which there are. Close undoes it.
func New(ctx context.Context, c Config) (*Accounts, error) {
	if c.System == nil || c.SYS == nil || c.PARLEY == nil || c.Refusals == nil {
		return nil, errors.New("accounts: Config needs System, SYS, PARLEY and Refusals")
	}
	a := &Accounts{
		System: c.System, sys: c.SYS, parley: c.PARLEY,
		nodes:  newNodes(c.System.now),
		kicked: kicks{now: c.System.now, of: map[kickKey]*kick{}, told: map[kickKey]time.Time{}},
		left:   make(chan departure, maxSessions),
		direct: make(chan arrival, maxSessions),
		knocks: make(chan knock, maxSessions),
		told:   c.Refusals.Refuse,
	}
	var err error
	if a.box, err = newMailbox(c.SYS); err != nil {
		return nil, err
	}
	a.subs = append(a.subs, a.box.sub)
	if err := a.subscribe(c.Aside); err != nil {
		a.Close()
		return nil, err
	}
	if err := a.discover(ctx); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Accounts) subscribe(aside bool) error {
	for subject, handle := range map[string]nats.MsgHandler{
		statsEvents: a.nodes.handle, downEvents: a.nodes.handle,
		connectEvents: a.connected, leaveEvents: a.disconnected,
	} {
		sub, err := a.sys.Subscribe(subject, handle)
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
		a.subs = append(a.subs, sub)
	}
	if aside {
		return nil
	}
	for _, subject := range []string{connectEvents, leaveEvents} {
		sub, err := a.sys.QueueSubscribe(subject, knockQueue, a.knocked)
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", subject, err)
		}
		a.subs = append(a.subs, sub)
	}
	return nil
}

// Close ends the subscriptions. The connections are the caller's.
func (a *Accounts) Close() {
	for _, s := range a.subs {
		_ = s.Unsubscribe() // fails only where the connection is closed already
	}
}

// Run heals the accounts and tidies the sessions until ctx ends.
func (a *Accounts) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { a.forgetSessions(ctx) })
	wg.Go(func() { workOff(ctx, a.log, a.direct, a.record, "sessions") })
	wg.Go(func() { workOff(ctx, a.log, a.knocks, a.explain, "refusals of the servers") })
	wg.Go(func() { a.reconcileLoop(ctx) })
	wg.Go(func() { a.reconsider(ctx) })
	wg.Go(func() { a.keepSeen(ctx) })
	wg.Wait()
}

// NewAccount makes the keys of a tenant's account, sealed: its identity, the key that signs
// its users, and the one that signs their tokens.
func (a *Accounts) NewAccount() (string, []tenant.SealedKey, error) {
	keys, err := makeKeys(a.keys, a.keys.NewAccount, []string{keyring.Signing, keyring.Token})
	if err != nil {
		return "", nil, err
	}
	return keys[0].Account, keys, nil
}

// attrs are the fixed keys of a log line about a user's connection.
func attrs(account string, u tenant.UserID) slog.Attr {
	return slog.Group("", slog.String("account", account), slog.String("user", string(u)))
}
