package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"parley/tenant"
)

const (
	jobWorkers = 10
	jobTimeout = 30 * time.Second
)

// startJobs starts what works off the jobs that the domain enqueued.
func (a *app) startJobs(ctx context.Context) error {
	if !a.plays(roleControl) {
		return nil
	}
	workers := river.NewWorkers()
	for _, err := range []error{
		work(workers, func(ctx context.Context, j tenant.PushClaims) error {
			return settled(a.accounts.Push(ctx, j.Tenant))
		}),
		work(workers, a.ensureStream),
		work(workers, a.service.SweepUser),
		work(workers, a.service.SweepKey),
		work(workers, a.service.EndKey),
		work(workers, a.service.SweepCredential),
		work(workers, a.service.SweepToken),
		work(workers, a.service.SweepTenant),
		work(workers, a.service.RefreshUser),
		work(workers, a.chat.PublishEvents),
		work(workers, a.service.EndMutes),
		work(workers, a.service.EndStanding),
		work(workers, a.service.NotifyUser),
		work(workers, a.service.SettleShare),
		work(workers, a.service.ExpireShare),
		work(workers, func(ctx context.Context, j tenant.DropHeld) error { return a.store.DropHeld(ctx, j.Tenant) }),
		work(workers, a.copyShare),
		work(workers, a.erasePerson),
		work(workers, a.dropTenant),
	} {
		if err != nil {
			return fmt.Errorf("register workers: %w", err)
		}
	}
	client, err := river.NewClient(riverpgxv5.New(a.pool), &river.Config{
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: jobWorkers}},
		Workers:    workers,
		JobTimeout: jobTimeout,
		Logger:     slog.New(warnings{a.Logger.Handler()}),
	})
	if err != nil {
		return fmt.Errorf("make the job client: %w", err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", err)
	}
	a.onStop("jobs", client.StopAndCancel) // what is cut off runs again
	return nil
}

func work[T tenant.Job](w *river.Workers, fn func(context.Context, T) error) error {
	return river.AddWorkerSafely(w, river.WorkFunc(func(ctx context.Context, j *river.Job[T]) error {
		return fn(ctx, j.Args)
	}))
}

// settled takes a tenant that is gone for done: there is nothing left to converge to.
func settled(err error) error {
	if errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	return err
}

func (a *app) ensureStream(ctx context.Context, j tenant.EnsureStream) error {
	t, err := a.store.Tenant(ctx, j.Tenant)
	if err != nil {
		return settled(err)
	}
	return a.chat.Ensure(ctx, t, j.Class)
}

// erasePerson goes on until nothing of the person is left.
func (a *app) erasePerson(ctx context.Context, j tenant.ErasePerson) error {
	done, err := a.chat.ErasePerson(ctx, j.Tenant, j.User)
	if err == nil && !done {
		return river.JobSnooze(time.Second)
	}
	return err
}

// copyShare goes on until the copy is whole.
func (a *app) copyShare(ctx context.Context, j tenant.CopyShare) error {
	done, err := a.chat.CopyShare(ctx, j.Share)
	if err == nil && !done {
		return river.JobSnooze(0)
	}
	return err
}

var errCopying = errors.New("copies that guests keep of its rooms are not whole yet")

// dropTenant takes away what a deleted tenant had, the records last: while they are there, this runs again.
func (a *app) dropTenant(ctx context.Context, j tenant.DropTenant) error {
	if err := a.accounts.DropAccount(ctx, j.Account); err != nil {
		return err
	}
	// What guests keep of its rooms goes with these.
	if done, err := a.chat.CopyShares(ctx, j.Tenant); err != nil || !done {
		return errors.Join(err, errCopying)
	}
	if err := a.chat.DropStreams(ctx, tenant.Tenant{ID: j.Tenant, Account: j.Account}); err != nil {
		return err
	}
	err := a.store.DropTenant(ctx, j.Tenant)
	if errors.Is(err, tenant.ErrConflict) { // a new tenant has the id: this job ran before
		return nil
	}
	return err
}

// warnings lets only warnings and errors through: the job library tells a lot of its own life.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}
func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }
