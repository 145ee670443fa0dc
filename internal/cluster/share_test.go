package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"parley/internal/natstest"
	"parley/tenant"
	"parley/tenant/subject"
)

const (
	listeners = 200 // of the guest's, on all nodes
	posters   = 4   // of each side, one post in flight each
)

// A hall is a shared room of acme's, with its users a0, a1, … and beta's z0, z1, ….
type hall struct {
	*site
	share         tenant.Share
	hosts, guests []*nats.Conn // one of each user's, on the nodes in turn
	listeners     []*nats.Conn // of the guest's users
	heard         atomic.Int64 // when a listener heard something last, Unix nanoseconds
	overheard     atomic.Int64 // how many heard what was said after the end
}

// last is what is said after the end.
const last = "among ourselves"

func newHall(t *testing.T, nodes int) *hall {
	t.Helper()
	h := &hall{site: newSite(t, Config{Nodes: nodes, Chat: true})}
	ctx, op := t.Context(), tenant.Operator()
	must(t, second(h.Service.CreateTenant(ctx, op, tenant.NewTenant{ID: "beta"})))
	_, err := h.Service.CreateRoom(ctx, op, "acme", tenant.NewRoom{ID: "hall", Kind: string(tenant.Shared)})
	must(t, err)
	h.share, err = h.Service.OfferShare(ctx, op, "acme", tenant.NewShare{Room: "hall", Guest: "beta", Post: true})
	must(t, err)
	_, err = h.Service.AcceptShare(ctx, op, "beta", h.share.ID)
	must(t, err)
	for i := range posters {
		h.hosts = append(h.hosts, h.enter("acme", "hall", tenant.UserID(fmt.Sprint("a", i)), i))
		h.guests = append(h.guests, h.enter("beta", h.share.Room, tenant.UserID(fmt.Sprint("z", i)), i))
	}
	for i := range listeners {
		nc := h.connect("beta", tenant.UserID(fmt.Sprint("z", i%posters)), i)
		_, err := nc.Subscribe(h.live(), func(m *nats.Msg) {
			h.heard.Store(time.Now().UnixNano())
			if strings.Contains(string(m.Data), last) {
				h.overheard.Add(1)
			}
		})
		must(t, err)
		must(t, nc.Flush())
		h.listeners = append(h.listeners, nc)
	}
	return h
}

func (h *hall) live() string {
	return subject.Post{Kind: tenant.Shared, Room: h.share.Room, Sender: subject.Any}.LiveShared(subject.Any)
}

// enter makes a member of a room, and connects him.
func (h *hall) enter(of tenant.TenantID, room tenant.RoomID, u tenant.UserID, node int) *nats.Conn {
	h.t.Helper()
	must(h.t, second(h.Service.PutUser(h.t.Context(), tenant.Operator(), of, u, tenant.UserSpec{})))
	_, err := h.Service.PutMember(h.t.Context(), tenant.Operator(), of, room, u, string(tenant.RoleMember))
	must(h.t, err)
	return h.connect(of, u, node)
}

func (h *hall) connect(of tenant.TenantID, u tenant.UserID, node int) (nc *nats.Conn) {
	h.t.Helper()
	token, _, err := h.Service.MintToken(h.t.Context(), tenant.Operator(), of, u, time.Hour)
	must(h.t, err)
	natstest.Eventually(h.t, "the node to let him in", func() bool {
		nc, err = h.dial(node, u, token.Reveal())
		return err == nil
	})
	h.t.Cleanup(nc.Close)
	return nc
}

// post waits for the stream's word.
func (h *hall) post(ctx context.Context, nc *nats.Conn, u tenant.UserID, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, subject.Post{Kind: tenant.Shared, Room: h.share.Room, Sender: string(u)}.Chat(), fmt.Appendf(nil, `{"text":%q}`, text))
	if err == nil && !strings.Contains(string(m.Data), `"seq"`) {
		err = errors.New(string(m.Data))
	}
	return err
}

// flood has all posters post until stop is closed, and counts what was accepted of a guest whose post began
// when over was true.
func (h *hall) flood(ctx context.Context, over *atomic.Bool, stop <-chan struct{}) (posted, late *atomic.Int64, done func()) {
	posted, late = new(atomic.Int64), new(atomic.Int64)
	var wg sync.WaitGroup
	for side, conns := range map[string][]*nats.Conn{"a": h.hosts, "z": h.guests} {
		for i, nc := range conns {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					began := over.Load()
					err := h.post(ctx, nc, tenant.UserID(fmt.Sprint(side, i)), "x")
					switch {
					case err == nil && side == "z" && began:
						late.Add(1)
					case err == nil:
						posted.Add(1)
					}
				}
			})
		}
	}
	return posted, late, wg.Wait
}

// A share ends under load: when the answer is there, no post of the guest's is accepted on any node, and what the
// host posts from then on reaches none of the guest's listeners.
func TestAShareEndsOnAllNodesAtOnce(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) { endUnderLoad(t, newHall(t, nodes)) })
	}
}

func endUnderLoad(t *testing.T, h *hall) {
	ctx := t.Context()
	var over atomic.Bool
	stop := make(chan struct{})
	posted, late, wait := h.flood(ctx, &over, stop)
	natstest.Eventually(t, "a thousand posts", func() bool { return posted.Load() > 1000 })
	begun := time.Now()
	must(t, h.Service.EndShare(ctx, tenant.Operator(), "acme", h.share.ID))
	over.Store(true)
	answered := time.Now()
	before := posted.Load()
	natstest.Eventually(t, "the host's users to post on", func() bool { return posted.Load() > before+200 })
	close(stop)
	wait()
	if n := late.Load(); n > 0 {
		t.Errorf("%d posts of the guest's were accepted after the answer, want none", n)
	}
	h.wantSilence(ctx)
	for i, nc := range h.guests {
		m, err := nc.Request(subject.API(tenant.UserID(fmt.Sprint("z", i)), "history"), fmt.Appendf(nil, `{"room":%q}`, h.share.Room), 10*time.Second)
		must(t, err)
		var answer struct{ Code tenant.Code }
		must(t, json.Unmarshal(m.Data, &answer))
		if answer.Code != tenant.CodeNotFound {
			t.Errorf("history on node %d: got %s, want not_found", i%len(h.Nodes), m.Data)
		}
	}
	t.Logf("the end of the share was answered after %s; a listener of the guest's heard something last %s after the answer",
		answered.Sub(begun).Round(100*time.Microsecond), time.Unix(0, h.heard.Load()).Sub(answered).Round(100*time.Microsecond))
}

// wantSilence has the host's users post once more, which their own listeners hear on each node and the guest's don't.
func (h *hall) wantSilence(ctx context.Context) {
	h.t.Helper()
	var ears []*nats.Subscription
	for i := range h.Nodes {
		nc := h.connect("acme", "a0", i)
		sub, err := nc.SubscribeSync(h.live())
		must(h.t, err)
		must(h.t, nc.Flush())
		ears = append(ears, sub)
	}
	natstest.Eventually(h.t, "each node to deliver to the host", func() bool {
		must(h.t, h.post(ctx, h.hosts[0], "a0", last))
		heard := 0
		for _, sub := range ears {
			if n, _, err := sub.Pending(); err == nil && n > 0 {
				heard++
			}
		}
		return heard == len(ears)
	})
	for _, nc := range h.listeners {
		must(h.t, nc.Flush())
	}
	if n := h.overheard.Load(); n > 0 {
		h.t.Errorf("%d listeners of the guest's hear what is posted after the end", n)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// second is the error of a call that returns two values beside it.
func second[A, B any](_ A, _ B, err error) error { return err }
