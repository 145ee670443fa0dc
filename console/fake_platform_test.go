package console

import (
	"context"
	"time"

	"parley/tenant"
)

// fakePlatform has one server that answers and one that does not, and a stream that lags behind.
type fakePlatform struct{}

func (fakePlatform) Projection(context.Context) (tenant.Projection, error) {
	return tenant.Projection{Led: true, Streams: 1}, nil
}

func (fakePlatform) Trail(context.Context) (tenant.Trail, error) {
	return tenant.Trail{At: time.Unix(0, 0), Entries: 7}, nil
}

func (fakePlatform) Disk() (tenant.Use, error) {
	return tenant.Use{Used: 1 << 30, Limit: 100 << 30}, nil
}
func (fakePlatform) CertificateExpires() time.Time { return time.Time{} }

func (fakePlatform) Servers(context.Context) ([]tenant.Server, error) {
	return []tenant.Server{
		{ID: "N1", Name: "n1", Answers: true, Version: "2.12.0", Since: time.Unix(0, 0), Connections: 12, Memory: 3 << 20, CPU: 1.5, Cores: 2, Storage: tenant.Use{Used: 1 << 20, Limit: 1 << 30}, Routes: []string{"n2"}},
		{Name: "n2", Routes: []string{}},
	}, nil
}

func (fakePlatform) StreamInfos(_ context.Context, p tenant.Page) ([]tenant.Stream, error) {
	if p.After != "" {
		return nil, nil
	}
	return []tenant.Stream{{Stream: "std-A1", Tenant: "t1", Class: "std", Messages: 5, First: 1, Last: 9, Projected: 7, Lag: 2, Replicas: 3, Behind: 1, Leader: "n1"}}, nil
}
