package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// kickMemory is how long a kick closes what comes in late: longer than the servers' auth
// timeout, within which a connection that the callout let in before must have settled.
const kickMemory = 5 * time.Second

// kickKey with an empty user stands for the whole account.
type kickKey struct {
	account string
	user    tenant.UserID
}

type kick struct {
	before time.Time // of a connection's start; zero: whenever it began
	until  time.Time
	sweeps int             // that are under way
	nkeys  []tenant.UserID // that the servers know the user by too
	late   []conn          // came in during a sweep, which closes and counts them
}

// kicks are the users whose connections are closed when a server says that they came in.
type kicks struct {
	now func() time.Time

	mu     sync.Mutex
	of     map[kickKey]*kick
	told   map[kickKey]time.Time // when users got their last notice
	tidied time.Time
}

// tell notes that a user was told something just now.
func (k *kicks) tell(key kickKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tidy()
	k.told[key] = k.now()
}

// lead is how long a user may still read what he was told last.
func (k *kicks) lead(key kickKey) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, told := k.told[key]
	if !told {
		return 0
	}
	return at.Add(noticeLead).Sub(k.now())
}

// tidy forgets now and then what is over.
func (k *kicks) tidy() {
	now := k.now()
	if now.Sub(k.tidied) <= kickMemory {
		return
	}
	maps.DeleteFunc(k.of, func(_ kickKey, v *kick) bool { return v.until.Before(now) && v.sweeps == 0 })
	maps.DeleteFunc(k.told, func(_ kickKey, at time.Time) bool { return at.Add(noticeLead).Before(now) })
	k.tidied = now
}

// begin remembers a kick, the wider of two, and begins a sweep.
func (k *kicks) begin(key kickKey, before time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tidy()
	now := k.now()
	v := k.of[key]
	switch {
	case v == nil:
		v = &kick{before: before}
		k.of[key] = v
	case v.until.Before(now) || before.IsZero() || !v.before.IsZero() && v.before.Before(before):
		v.before = before
	}
	v.until = now.Add(kickMemory)
	v.sweeps++
}

// end ends a sweep and returns what came in meanwhile.
func (k *kicks) end(key kickKey) []conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := k.of[key]
	if v == nil {
		return nil // admitted meanwhile
	}
	late := v.late
	v.late = nil
	v.sweeps = max(v.sweeps-1, 0)
	return late
}

// also notes by which nkeys a kicked user is kicked too.
func (k *kicks) also(key kickKey, nkeys []tenant.UserID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.of[key]; v != nil {
		v.nkeys = nkeys
	}
}

func (k *kicks) forget(key kickKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.of[key]; v != nil {
		for _, nkey := range v.nkeys {
			delete(k.of, kickKey{key.account, nkey})
		}
	}
	delete(k.of, key)
}

func (k *kicks) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.of) == 0
}

// meets reports whether a connection that came in is to be closed at once. It is left to the
// sweep where one is under way, so that what a kick closes is counted by it and by nobody else.
func (k *kicks) meets(account string, c conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range []kickKey{{account, c.User}, {account, ""}} {
		v := k.of[key]
		if v == nil || k.now().After(v.until) || !begunBefore(c.Start, v.before) {
			continue
		}
		if v.sweeps == 0 {
			return true
		}
		v.late = append(v.late, c)
		return false
	}
	return false
}

func begunBefore(start, before time.Time) bool { return before.IsZero() || start.Before(before) }

// Kick closes the connections of a user on all nodes, and for a while those that come in
// late. With a before it leaves alone what began later. What it closed is counted also when
// not every node answered, which is an error.
func (a *Accounts) Kick(ctx context.Context, account string, u tenant.UserID, before time.Time) (int, error) {
	var nkeys []tenant.UserID
	var errKeys error
	var read sync.WaitGroup
	read.Go(func() { nkeys, errKeys = a.directKeys(ctx, account, u) })
	closed, errNamed := a.sweep(ctx, kickKey{account, u}, before, u)
	read.Wait()
	direct, errDirect := a.kickDirect(ctx, kickKey{account, u}, nkeys, before)
	errDirect = errors.Join(errKeys, errDirect)
	if err := errors.Join(errNamed, errDirect); err != nil {
		return closed + direct, fmt.Errorf("kick user %s of %s: %w", u, account, err)
	}
	return closed + direct, nil
}

// Admit forgets what Kick remembered of a user.
func (a *Accounts) Admit(account string, u tenant.UserID) { a.kicked.forget(kickKey{account, u}) }

// KickAll closes every connection of an account that began before, those that are half-way in among them.
func (a *Accounts) KickAll(ctx context.Context, account string) (int, error) {
	closed, err := a.sweep(ctx, kickKey{account: account}, a.now(), "")
	if err != nil {
		return closed, fmt.Errorf("kick all of %s: %w", account, err)
	}
	return closed, nil
}

// sweep closes what is found, and what the servers say came in meanwhile. Where the lists had
// more than a page it looks again: who leaves meanwhile moves others from one page to another.
// Where somebody was told something just before, it looks while he reads it.
func (a *Accounts) sweep(ctx context.Context, key kickKey, before time.Time, told tenant.UserID) (int, error) {
	a.kicked.begin(key, before)
	closed, seen, err := 0, map[sessionKey]bool{}, error(nil)
	for again := true; again && err == nil; {
		found, errFind := a.find(ctx, key.account, key.user)
		if len(found) > 0 {
			pause(ctx, a.kicked.lead(kickKey{key.account, told}))
		}
		n, errClose := a.closeNew(ctx, slices.DeleteFunc(found, func(c conn) bool { return !begunBefore(c.Start, before) }), seen)
		closed, err = closed+n, errors.Join(errFind, errClose)
		again = len(found) >= connzPage && n > 0
	}
	late, errLate := a.closeNew(ctx, a.kicked.end(key), seen)
	return closed + late, errors.Join(err, errLate)
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// closeNew closes those that are not among seen, and adds them.
func (a *Accounts) closeNew(ctx context.Context, conns []conn, seen map[sessionKey]bool) (int, error) {
	fresh := slices.DeleteFunc(conns, func(c conn) bool { return seen[sessionKey{c.Server, c.CID}] })
	for _, c := range fresh {
		seen[sessionKey{c.Server, c.CID}] = true
	}
	return a.closeAll(ctx, fresh)
}

// closeAll closes connections and counts those that were still open. However many they are,
// it gives up only when the servers close none for a while.
func (a *Accounts) closeAll(ctx context.Context, conns []conn) (int, error) {
	q := a.box.inquire(len(conns))
	defer q.close()
	for i, c := range conns {
		if err := q.ask(i, fmt.Sprintf(serverKick, c.Server), kickBody(c.CID)); err != nil {
			return 0, err
		}
	}
	closed := 0
	for range conns {
		answer, err := q.next(ctx)
		if errors.Is(err, errNoResponders) {
			continue // the server is gone, and the connection with it
		}
		if err != nil {
			return closed, err
		}
		var s serverOf
		if err := json.Unmarshal(answer, &s); err != nil {
			return closed, err
		}
		if s.Error == nil { // else: no such client, it left by itself
			closed++
		}
	}
	return closed, nil
}

func kickBody(cid uint64) []byte { return fmt.Appendf(nil, `{"cid":%d}`, cid) }

// event is what the servers say of a connection that came or went.
type event struct {
	serverOf
	Client struct {
		ID    uint64        `json:"id"`
		User  tenant.UserID `json:"user"` // an nkey, where the server did not ask the callout
		Host  string        `json:"host"`
		Start time.Time     `json:"start"`
		JWT   string        `json:"jwt"` // likewise: the callout's users have none
	} `json:"client"`
	Reason string `json:"reason"` // of one that went
}

// connected closes a connection that came in after its user was kicked: the callout had let
// it in on the old rows, and no server looks again (NATS.md).
func (a *Accounts) connected(m *nats.Msg) {
	if a.kicked.empty() {
		return
	}
	account := strings.Split(m.Subject, ".")[2]
	var e event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		a.log.Warn("connect event does not decode", "error", err)
		return
	}
	if !a.kicked.meets(account, conn{Server: e.Server.ID, CID: e.Client.ID, Start: e.Client.Start, User: e.Client.User}) {
		return
	}
	a.closeOne(account, e.Client.User, sessionKey{e.Server.ID, e.Client.ID}, "it was half-way in")
}

// closeOne closes a connection without waiting for the answer.
func (a *Accounts) closeOne(account string, u tenant.UserID, k sessionKey, why string) {
	log := a.log.With(attrs(account, u), slog.String("server", k.server), slog.String("why", why))
	if err := a.sys.PublishRequest(fmt.Sprintf(serverKick, k.server), a.box.prefix+nobody, kickBody(k.cid)); err != nil {
		log.Warn("connection not closed", "error", err)
		return
	}
	log.Info("connection closed")
}
