package chat

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	projected prometheus.Counter
	doubles   prometheus.Counter
	fetched   prometheus.Counter
	dropped   prometheus.Counter
	junk      prometheus.Counter
	trimmed   prometheus.Counter
	leader    prometheus.Gauge
	queued    prometheus.Gauge
	refused   *prometheus.CounterVec
	requests  *prometheus.CounterVec
	unasked   prometheus.Counter
	muted     prometheus.Counter
	presence  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "parley", Subsystem: "chat", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "parley", Subsystem: "chat", Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "parley", Subsystem: "chat", Name: name, Help: help}, labels)
	}
	m := &metrics{
		projected: counter("projected_messages_total", "Messages written to the read model."),
		doubles:   counter("double_messages_total", "Stored messages left out because their sender had stored the same id before."),
		fetched:   counter("fetched_messages_total", "Messages read from streams because they did not come live."),
		dropped:   counter("dropped_live_messages_total", "Live messages dropped to bound memory; they are fetched later."),
		junk:      counter("junk_live_messages_total", "Live messages without exactly one of each header of the server."),
		trimmed:   counter("trimmed_messages_total", "Messages removed because their stream no longer keeps them."),
		leader:    gauge("projector_leader", "1 where this process projects."),
		queued:    gauge("queued_live_bytes", "Bytes of live messages that wait to be projected."),
		refused:   vec("refused_posts_total", "Stored posts that the rules refused, by code.", "code"),
		requests:  vec("api_requests_total", "Requests to the chat API, by operation and code of the answer.", "op", "code"),
		muted:     counter("muted_flooders_total", "Users muted for a while because they posted faster than their tenant allows."),
		presence:  counter("presence_notices_total", "Notices of who came or went."),
		unasked:   counter("api_dropped_total", "Requests dropped because they have no reply subject."),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.projected, m.doubles, m.fetched, m.dropped, m.junk, m.trimmed, m.leader, m.queued, m.refused, m.requests, m.unasked, m.muted, m.presence,
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of chat: %w", err)
		}
	}
	return m, nil
}
