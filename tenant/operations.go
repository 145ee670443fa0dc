package tenant

import (
	"context"
	"time"
)

// A QueuedJob is one job as the queue has it.
type QueuedJob struct {
	ID       int64
	Kind     string
	State    string // available, running, retryable, scheduled, discarded, cancelled or completed
	Attempt  int
	Most     int // attempts
	At       time.Time
	Args     string // JSON
	LastFail string // empty: it has not failed
}

// An AccountState compares what an account's claims shall be with what the servers have.
type AccountState struct {
	Tenant  TenantID // empty: an account of the platform
	Name    string
	Account string
	Wanted  int64 // time of the newest claims, in seconds
	Pushed  int64 // time of those that every server confirmed
}

// OperationsReader reads what operators watch.
type OperationsReader interface {
	// QueuedJobs lists jobs that are not done, those that failed first, then the newest.
	QueuedJobs(ctx context.Context, limit int) ([]QueuedJob, error)
	RetryJob(ctx context.Context, id int64) error
	// AccountStates lists accounts, those first that the servers don't have as they shall be.
	AccountStates(ctx context.Context, limit int) ([]AccountState, error)
}

// OperatorTrail lists what was changed beside the tenants: people, their logins, links.
func (p *People) OperatorTrail(ctx context.Context, s Principal, page Page) ([]AuditEntry, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	if err := page.check(); err != nil {
		return nil, err
	}
	return p.store.AuditTrail(ctx, "", page)
}

// QueuedJobs lists jobs that are not done.
func (p *People) QueuedJobs(ctx context.Context, s Principal, limit int) ([]QueuedJob, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	return p.store.QueuedJobs(ctx, limit)
}

// RetryJob has a job run again at once.
func (p *People) RetryJob(ctx context.Context, s Principal, id int64) error {
	if _, err := s.Operator(); err != nil {
		return err
	}
	return p.store.RetryJob(ctx, id)
}

// AccountStates compares wanted and pushed claims.
func (p *People) AccountStates(ctx context.Context, s Principal, limit int) ([]AccountState, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	return p.store.AccountStates(ctx, limit)
}

// OperatorLinks lists the links that make operators and founders and can be used.
func (p *People) OperatorLinks(ctx context.Context, s Principal) ([]Link, error) {
	if _, err := s.Operator(); err != nil {
		return nil, err
	}
	return p.store.Links(ctx, "", p.clock())
}
