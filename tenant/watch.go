package tenant

import "context"

// Connections lists the open connections of a user, or of all users where u is empty.
func (s *Service) Connections(ctx context.Context, a Actor, t TenantID, u UserID) ([]Connection, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return nil, err
	}
	row, err := s.store.Tenant(ctx, t)
	if err != nil {
		return nil, err
	}
	if u != "" {
		if _, err := s.store.User(ctx, t, u); err != nil {
			return nil, err
		}
	}
	return s.accounts.Connections(ctx, row.Account, u)
}

// AuditTrail lists who changed what in a tenant, newest first.
func (s *Service) AuditTrail(ctx context.Context, a Actor, t TenantID, p Page) ([]AuditEntry, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.AuditTrail(ctx, t, p)
}

// Refusals lists the connections of a tenant that were not let in, newest first.
func (s *Service) Refusals(ctx context.Context, a Actor, t TenantID, p Page) ([]Refusal, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Refusals(ctx, t, p)
}
