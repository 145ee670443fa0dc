package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parley/tenant"
)

// remembered is how long a server that fell silent is still shown; one that says that it shuts down is not.
const remembered = time.Hour

// statsAnswer is what a server tells of itself.
type statsAnswer struct {
	Server struct {
		ID      string    `json:"id"`
		Name    string    `json:"name"`
		Version string    `json:"ver"`
		Cluster string    `json:"cluster"`
		Time    time.Time `json:"time"`
	} `json:"server"`
	Stats struct {
		Start         time.Time `json:"start"`
		Memory        int64     `json:"mem"`
		Cores         int64     `json:"cores"`
		CPU           float64   `json:"cpu"`
		Connections   int64     `json:"connections"`
		ActiveServers int       `json:"active_servers"`
		Routes        []struct {
			Name string `json:"name"`
		} `json:"routes"`
		JetStream struct {
			Config struct {
				Storage int64 `json:"max_storage"`
			} `json:"config"`
			Stats struct {
				Storage int64 `json:"storage"`
			} `json:"stats"`
			Meta struct {
				Replicas []struct {
					Name    string `json:"name"`
					Current bool   `json:"current"`
					Offline bool   `json:"offline"`
				} `json:"replicas"`
			} `json:"meta"`
		} `json:"jetstream"`
	} `json:"statsz"`
}

func (s statsAnswer) row(heard time.Time) tenant.Server {
	r := tenant.Server{
		ID: s.Server.ID, Name: s.Server.Name, Version: s.Server.Version, Cluster: s.Server.Cluster, Answers: true,
		Since: s.Stats.Start, Heard: heard, Connections: s.Stats.Connections, Memory: s.Stats.Memory, CPU: s.Stats.CPU, Cores: s.Stats.Cores,
		Storage: tenant.Use{Used: s.Stats.JetStream.Stats.Storage, Limit: s.Stats.JetStream.Config.Storage}, Routes: []string{},
	}
	for _, route := range s.Stats.Routes { // several for each server
		r.Routes = append(r.Routes, route.Name)
	}
	slices.Sort(r.Routes)
	r.Routes = slices.Compact(r.Routes)
	return r
}

// Servers tells of every server: those that answer, those that did within the hour and fell silent, and
// those that others name as absent.
func (a *Accounts) Servers(ctx context.Context) ([]tenant.Server, error) {
	answers, err := a.askStats(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the servers: %w", err)
	}
	heard := a.nodes.now()
	var now []tenant.Server
	var absent []string
	for _, s := range answers {
		now = append(now, s.row(heard))
		for _, r := range s.Stats.JetStream.Meta.Replicas {
			if r.Offline {
				absent = append(absent, r.Name)
			}
		}
	}
	all := append(now, a.nodes.silent(now)...)
	for _, name := range absent {
		if !slices.ContainsFunc(all, func(s tenant.Server) bool { return s.Name == name }) {
			all = append(all, tenant.Server{Name: name, Routes: []string{}})
		}
	}
	slices.SortFunc(all, func(s, o tenant.Server) int { return cmp.Or(cmp.Compare(s.Name, o.Name), cmp.Compare(s.ID, o.ID)) })
	return all, nil
}

// askStats returns the answers of all servers that there are, or of those that come within requestTimeout.
func (a *Accounts) askStats(ctx context.Context) (map[string]statsAnswer, error) {
	limited, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	got, _, err := a.ping(limited, a.nodes.known())
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return got, nil // the others don't answer
	}
	return got, err
}

// Keepers is on how many servers streams can be placed, by the word of the one that places them.
func (a *Accounts) Keepers(ctx context.Context) (n int, err error) {
	answers, err := a.askStats(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask the servers: %w", err)
	}
	for _, s := range answers {
		current := 0
		for _, r := range s.Stats.JetStream.Meta.Replicas { // of the leader's answer alone
			if r.Current && !r.Offline {
				current++
			}
		}
		if current > 0 {
			n = max(n, 1+current)
		}
	}
	return n, nil
}

// silent keeps what the servers told, and returns those that answered before and don't now. One that
// came back under a new id is not silent.
func (n *nodes) silent(now []tenant.Server) []tenant.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range now {
		n.told[s.ID] = s
	}
	oldest := n.now().Add(-remembered)
	maps.DeleteFunc(n.told, func(id string, s tenant.Server) bool {
		return s.Heard.Before(oldest) || slices.ContainsFunc(now, func(o tenant.Server) bool { return o.Name == s.Name && o.ID != id })
	})
	var all []tenant.Server
	for id, s := range n.told {
		if !slices.ContainsFunc(now, func(o tenant.Server) bool { return o.ID == id }) {
			all = append(all, tenant.Server{ID: id, Name: s.Name, Version: s.Version, Cluster: s.Cluster, Since: s.Since, Heard: s.Heard, Routes: []string{}})
		}
	}
	return all
}
