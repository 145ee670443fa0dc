package authcallout

import "testing"

// BenchmarkDecision is one token that is admitted, without the network and the database.
func BenchmarkDecision(b *testing.B) {
	w := newWorld(b)
	m := w.message(w.question(withToken(w.token(nil))))
	m.Reply, m.Sub = "nobody", w.callout.sub
	b.ReportAllocs()
	for b.Loop() {
		w.callout.serve(pending{msg: m, at: w.clock.now()})
		<-w.sessions
	}
}
