package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// nodeSilence is how long a node may say nothing until it counts as gone. Each reports every 10 s.
const nodeSilence = 30 * time.Second

// nodes are the servers that must answer before a sweep is complete.
type nodes struct {
	now func() time.Time

	back chan string // ids of those that were lost and are there again

	mu   sync.Mutex
	seen map[string]time.Time     // by server id
	lost map[string]time.Time     // fell silent while others did not, and since when that is known
	told map[string]tenant.Server // what each said last to those who asked
}

func newNodes(now func() time.Time) *nodes {
	return &nodes{now: now, back: make(chan string, maxNodes), seen: map[string]time.Time{}, lost: map[string]time.Time{}, told: map[string]tenant.Server{}}
}

func (n *nodes) saw(id string) {
	if id == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	n.settle(now, id)
	n.seen[id] = now
	if _, was := n.lost[id]; was {
		select {
		case n.back <- id:
			delete(n.lost, id)
		default: // the next time
		}
	}
}

// settle forgets those that say nothing. When nobody has for so long, it was us who could not hear.
func (n *nodes) settle(now time.Time, speaks string) {
	oldest := now.Add(-nodeSilence)
	others := false
	for _, at := range n.seen {
		others = others || !at.Before(oldest)
	}
	for id, at := range n.seen {
		if !at.Before(oldest) || id == speaks && !others {
			continue
		}
		delete(n.seen, id)
		if others {
			n.lost[id] = now
		}
	}
	maps.DeleteFunc(n.lost, func(_ string, at time.Time) bool { return at.Before(now.Add(-remembered)) })
}

func (n *nodes) lose(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost[id] = n.now()
}

func (n *nodes) gone(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.seen, id)
	delete(n.lost, id)
	delete(n.told, id)
}

func (n *nodes) known() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.settle(n.now(), "")
	return slices.Sorted(maps.Keys(n.seen))
}

// handle takes $SYS.SERVER.<id>.STATSZ and SHUTDOWN.
func (n *nodes) handle(m *nats.Msg) {
	t := strings.Split(m.Subject, ".")
	if t[3] == "SHUTDOWN" {
		n.gone(t[2])
	} else {
		n.saw(t[2])
	}
}

// serverOf is the part that all answers of servers have.
type serverOf struct {
	Server struct {
		ID string `json:"id"`
	} `json:"server"`
	Error *struct {
		Code        int    `json:"code"`
		Description string `json:"description"`
	} `json:"error"`
}

func (s serverOf) err() error {
	if s.Error == nil {
		return nil
	}
	return fmt.Errorf("server %s: %s (%d)", s.Server.ID, s.Error.Description, s.Error.Code)
}

// maxNodes bounds the answers to one request that goes to all servers.
const maxNodes = 256

// everyNode asks all servers and calls fn with each answer, until every known one has
// answered. It is an error when one has not by the end of ctx.
func (a *Accounts) everyNode(ctx context.Context, subject string, body []byte, fn func(server string, answer []byte) error) error {
	q := a.box.inquire(maxNodes)
	defer q.close()
	if err := q.ask(0, subject, body); err != nil {
		return err
	}
	waiting := a.nodes.known()
	for answered := false; len(waiting) > 0 || !answered; answered = true {
		_, answer, err := q.answer(ctx)
		if err != nil {
			return fmt.Errorf("ask %s: %d nodes did not answer: %w", subject, max(len(waiting), 1), err)
		}
		var s serverOf
		if err := json.Unmarshal(answer, &s); err != nil {
			return fmt.Errorf("ask %s: %w", subject, err)
		}
		a.nodes.saw(s.Server.ID)
		waiting = slices.DeleteFunc(waiting, func(id string) bool { return id == s.Server.ID })
		if err := fn(s.Server.ID, answer); err != nil {
			return err
		}
	}
	return nil
}

// discover learns which servers there are.
func (a *Accounts) discover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	got, want, err := a.ping(ctx, nil)
	if err != nil {
		return fmt.Errorf("discover servers: %d of %d answered: %w", len(got), want, err)
	}
	return nil
}

// ping has every server tell of itself: the first that answers knows how many there are, and waiting are known ones
// that may be cut off from it. With an error it returns those that did answer.
func (a *Accounts) ping(ctx context.Context, waiting []string) (got map[string]statsAnswer, want int, err error) {
	q := a.box.inquire(maxNodes)
	defer q.close()
	got, want = map[string]statsAnswer{}, 1
	if err := q.ask(0, serverPing, nil); err != nil {
		return got, want, err
	}
	for len(got) < want || len(waiting) > 0 {
		_, answer, err := q.answer(ctx)
		if err != nil {
			return got, want, err
		}
		var s statsAnswer
		if err := json.Unmarshal(answer, &s); err != nil {
			return got, want, err
		}
		a.nodes.saw(s.Server.ID)
		got[s.Server.ID] = s
		want = max(want, s.Stats.ActiveServers)
		waiting = slices.DeleteFunc(waiting, func(id string) bool { return id == s.Server.ID })
	}
	return got, want, nil
}
