package console

import (
	"fmt"
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

func (w *web) showServers(q *request) (ui.View, error) {
	all, err := w.c.servers(q.Context(), q.operator())
	if err != nil {
		return nil, err
	}
	v := &ui.Servers{Page: ui.Page{Title: "Servers", Area: "operator/servers"}}
	for _, s := range all {
		if !s.Answers {
			v.Silent++
		}
		v.Rows = append(v.Rows, ui.ServerRow{
			Name: s.Name, ID: s.ID, Version: s.Version, Cluster: s.Cluster, Answers: s.Answers, Since: s.Since, Heard: s.Heard,
			Connections: s.Connections, Memory: s.Memory, CPU: fmt.Sprintf("%.1f %% of %d00 %%", s.CPU, s.Cores),
			Stored: sizeTile("JetStream", s.Storage), Routes: strings.Join(s.Routes, ", "),
		})
	}
	return v, nil
}

func (w *web) showStreams(q *request) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, tenant.Stream.Cursor, func(ctx ctx, p tenant.Page) ([]tenant.Stream, error) {
		return w.c.streams(ctx, q.operator(), p)
	})
	if err != nil {
		return nil, err
	}
	v := &ui.Streams{Page: ui.Page{Title: "Streams", Area: "operator/streams"}, Search: l.search("Tenant, class or stream"), Pager: pager}
	for _, s := range items {
		v.Rows = append(v.Rows, ui.StreamRow{
			Tenant: string(s.Tenant), Link: "/operator/tenants/" + string(s.Tenant), Class: string(s.Class), Name: s.Stream, State: stateOf(s),
			Messages: s.Messages, Stored: sizeTile("Stored", s.Bytes), First: s.First, Last: s.Last, Projected: s.Projected, Lag: s.Lag,
			Replicas: s.Replicas, Behind: s.Behind, Leader: s.Leader,
		})
	}
	return v, nil
}

func stateOf(s tenant.Stream) ui.Word {
	switch {
	case s.Missing:
		return ui.Word{Text: "missing", Tone: "bad"}
	case s.Behind > 0:
		return ui.Word{Text: "a replica is behind", Tone: "warn"}
	case s.Lag > 0:
		return ui.Word{Text: "projecting", Tone: "warn"}
	}
	return ui.Word{Text: "ok", Tone: "good"}
}
