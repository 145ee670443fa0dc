package pgstore

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"parley/tenant"
)

// Enqueue adds a job to the default queue; a rollback takes it back.
func (x tx) Enqueue(ctx context.Context, j tenant.Job, at time.Time) error {
	ctx, cancel := bound(ctx)
	defer cancel()
	_, err := x.jobs.InsertTx(ctx, x.q, j, &river.InsertOpts{ScheduledAt: at})
	return wrap(err, "enqueue", "job", j.Kind())
}
