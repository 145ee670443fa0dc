package chat

import (
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// BenchmarkProject posts from 16 senders, each of whom waits for his acknowledgement, and ends when
// all of it can be read.
func BenchmarkProject(b *testing.B) {
	s := newSite(b)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	s.post(town.by("alice"), "first")
	s.texts("town")
	const senders = 16
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := i; n < b.N; n += senders {
				s.store(town.by("alice").Stored(s.tenant.Account), `{"text":"a message of the usual length, more or less"}`, nats.Header{nats.MsgIdHdr: {s.newID()}})
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	s.texts("town")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "projected/s")
}
