package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/tenant"
	"parley/tenant/pgstore"
)

const (
	// headFile holds the newest seal of the audit trail: who cuts off the trail's end in the database does not have it.
	headFile = "audit.head"
	// sealEvery is how long an entry waits for its seal. Until then it can be taken out unseen.
	sealEvery = time.Second
	// unsealedLong is for how long sealing may fail before that is a fault.
	unsealedLong = time.Minute
	// lookEvery is how often the whole trail is looked through.
	lookEvery = time.Hour
)

// A trail seals the audit trail, and looks whether it still is as it was sealed.
type trail struct {
	store *pgstore.Store
	mac   func([]byte) []byte
	dir   *dataDir
	log   *slog.Logger
	fault prometheus.Gauge

	mu      sync.Mutex
	head    tenant.TrailSeal // as in the file
	failing bool             // sealing, since the last that was done
	lost    bool             // the database does not have the head: the file stays as it is, for people to look into
	sealed  time.Time        // when sealing was last done
	last    tenant.Trail     // what the last whole look found
}

// startTrail goes on sealing the audit trail.
func (a *app) startTrail(ctx context.Context) error {
	t := &trail{
		store: a.store, mac: a.keys.TrailMAC, dir: a.dir, log: a.Logger, sealed: time.Now(),
		fault: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "parley_audit_trail_faults", Help: "1 where the audit trail is not as it was sealed.",
		}),
	}
	a.registry.MustRegister(t.fault)
	text, err := os.ReadFile(a.dir.file(headFile))
	if err == nil {
		err = json.Unmarshal(text, &t.head)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read %s: %w; without it nobody can tell whether the audit trail was cut: move it away to start all the same", a.dir.file(headFile), err)
	}
	if t.lost, err = lacks(ctx, a.store, t.head); err != nil {
		return err
	}
	a.trail = t
	a.background("audit seals", t.keep)
	a.background("audit look", t.watch) // apart: a long trail takes longer than an entry may wait
	return nil
}

// watch looks through the trail at the start and every hour, until ctx ends.
func (t *trail) watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if _, err := t.look(ctx); err != nil && ctx.Err() == nil {
			t.log.Warn("audit trail not looked through", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// keep seals every second, until ctx ends.
func (t *trail) keep(ctx context.Context) error {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			within, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealEvery)
			defer cancel()
			t.seal(within)
			return nil
		case <-tick.C:
			t.seal(ctx)
		}
	}
}

// seal covers all entries that have no seal. Of failures it tells the first.
func (t *trail) seal(ctx context.Context) {
	err := t.sealAll(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && !t.failing {
		t.log.Warn("audit trail not sealed", "error", err)
	}
	if t.failing = err != nil; !t.failing {
		t.sealed = time.Now()
	}
}

func (t *trail) sealAll(ctx context.Context) error {
	for more := true; more; {
		waits, err := t.store.Unsealed(ctx)
		if err != nil || !waits {
			return err
		}
		var last tenant.TrailSeal
		if last, more, err = t.store.Seal(ctx, t.mac); err == nil {
			err = t.follow(last)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow has the file follow the database, unless that has lost what the file has.
func (t *trail) follow(last tenant.TrailSeal) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	same := last.Number == t.head.Number && slices.Equal(last.MAC, t.head.MAC)
	if t.lost = t.lost || last.Number <= t.head.Number && !same; t.lost || same {
		return nil
	}
	text, err := json.Marshal(last)
	if err == nil {
		err = t.dir.write(headFile, text)
	}
	if err == nil {
		t.head = last
	}
	return err
}

// lacks reports whether the database has not the seal.
func lacks(ctx context.Context, store *pgstore.Store, seal tenant.TrailSeal) (bool, error) {
	if seal.Number == 0 {
		return false, nil
	}
	has, err := store.HasSeal(ctx, seal)
	return !has, err
}

// look looks through the whole trail.
func (t *trail) look(ctx context.Context) (tenant.Trail, error) {
	t.mu.Lock()
	head, sealed := t.head, t.sealed
	t.mu.Unlock()
	entries, fault, err := t.store.CheckTrail(ctx, t.mac, head)
	if err != nil {
		return tenant.Trail{}, err
	}
	found := tenant.Trail{At: time.Now(), Entries: entries, Fault: fault}
	if time.Since(sealed) > unsealedLong {
		found.Unsealed = sealed
	}
	t.fault.Set(0)
	if fault != "" {
		t.fault.Set(1)
		t.log.Error("the audit trail is not as it was sealed", "fault", fault)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = found
	return found, nil
}

// Trail looks through the audit trail; where ctx has no time for all of it, it is what the last look found, if one has ended.
func (t *trail) Trail(ctx context.Context) (tenant.Trail, error) {
	found, err := t.look(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		return t.last, nil
	}
	return found, err
}
