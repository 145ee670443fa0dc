package tenant

import (
	"context"
	"time"
)

// pushTime is how long claims may be on their way to the servers.
const pushTime = 30 * time.Second

// Backlog tells operators what the records ask for and is not done.
func (s *Service) Backlog(ctx context.Context, a Actor) (Backlog, error) {
	if err := a.AllowOperator(); err != nil {
		return Backlog{}, err
	}
	return s.store.Backlog(ctx, s.clock().Add(-pushTime))
}
