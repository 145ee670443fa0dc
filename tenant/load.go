package tenant

import (
	"context"
	"slices"
	"time"
)

// Health says in a word how a tenant fares.
type Health string

// The healths of a tenant, the worst first: what is said of it is the first that is true.
const (
	HealthSuspended Health = "suspended"
	HealthBehind    Health = "behind"     // a server lacks its newest claims
	HealthNearLimit Health = "near_limit" // it uses nine tenths of a limit, or more
	HealthOK        Health = "ok"
)

// A TenantLoad is a tenant with what it uses of its limits, for operators. What its streams hold is counted each minute.
type TenantLoad struct {
	ID          TenantID      `json:"id"`
	Name        string        `json:"name"`
	Status      Status        `json:"status"`
	Since       time.Time     `json:"since"`
	Health      Health        `json:"health"`
	Near        []string      `json:"near,omitempty" doc:"The limits that it is near, as users or storage_bytes of std"`
	Connections Use           `json:"connections"`
	Users       Use           `json:"users"`
	Rooms       Use           `json:"rooms"` // direct ones aside
	Storage     map[Class]Use `json:"storage" doc:"Bytes of each class that the tenant has used"`
	Messages    int64         `json:"messages" doc:"Stored since the tenant began"`
	Behind      bool          `json:"-"` // a server lacks its newest claims
}

// Bytes is what all the tenant's streams hold.
func (l TenantLoad) Bytes() Use {
	var all Use
	for _, u := range l.Storage {
		all.Used, all.Limit = all.Used+u.Used, all.Limit+u.Limit
	}
	return all
}

// near reports whether nine tenths of a limit are used; 0 is no limit.
func (u Use) near() bool { return u.Limit > 0 && u.Used >= u.Limit-u.Limit/10 }

// judge fills Near and Health from the rest.
func (l *TenantLoad) judge() {
	for _, u := range []struct {
		name string
		use  Use
	}{{"connections", l.Connections}, {"users", l.Users}, {"rooms", l.Rooms}} {
		if u.use.near() {
			l.Near = append(l.Near, u.name)
		}
	}
	var full []string
	for class, u := range l.Storage {
		if u.near() {
			full = append(full, "storage_bytes of "+string(class))
		}
	}
	slices.Sort(full)
	l.Near = append(l.Near, full...)
	switch {
	case l.Status == Suspended:
		l.Health = HealthSuspended
	case l.Behind:
		l.Health = HealthBehind
	case len(l.Near) > 0:
		l.Health = HealthNearLimit
	default:
		l.Health = HealthOK
	}
}

// Loads lists tenants by id with what they use, for operators.
func (s *Service) Loads(ctx context.Context, a Actor, p Page) ([]TenantLoad, error) {
	if err := a.AllowOperator(); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	all, err := s.store.Loads(ctx, p)
	for i := range all {
		all[i].judge()
	}
	return all, err
}
