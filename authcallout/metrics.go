package authcallout

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// codeAdmitted stands where a refusal has its code.
const codeAdmitted = "admitted"

// dropSend: the answer could not be sent.
const dropSend = "send"

type metrics struct {
	decisions *prometheus.CounterVec
	drops     *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	fetches   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_callout_decisions_total", Help: "Connections that were decided on, by method and code.",
		}, []string{"method", "code"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_callout_dropped_total", Help: "Requests that got no answer, by reason.",
		}, []string{"reason"}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_callout_key_fetches_total", Help: "Fetches of the key sets behind tenants' keys, by outcome.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "parley_callout_decision_seconds", Help: "Time from a request to its answer, by method.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2},
		}, []string{"method"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.decisions, m.drops, m.seconds, m.fetches} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) drop(reason string) { m.drops.WithLabelValues(reason).Inc() }

func (m *metrics) decided(a *attempt, code string, now time.Time) {
	method := string(a.offer.method)
	if method == "" {
		method = "none"
	}
	m.decisions.WithLabelValues(method, code).Inc()
	m.seconds.WithLabelValues(method).Observe(now.Sub(a.at).Seconds())
}
