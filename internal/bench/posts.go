package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"parley/tenant"
	"parley/tenant/subject"
)

// body is a message of 128 bytes.
var body = fmt.Appendf(nil, `{"text":%q}`, strings.Repeat("x", 128-len(`{"text":""}`)))

// posts measures acknowledged posts into one room, against posts into a stream of a bare server.
func posts(ctx context.Context, b *bench) error {
	if err := makeStream(ctx, b.plain.NATS, jetstream.StreamConfig{Name: "raw", Subjects: []string{subject.ChatAll}}); err != nil {
		return err
	}
	var groups [][]result
	for _, size := range []struct{ senders, posts int }{{1, 1000}, {16, 2000}, {64, 4000}} {
		r, err := b.posts(ctx, size.senders, max(b.count(size.posts), size.senders))
		if err != nil {
			return err
		}
		groups = append(groups, r)
	}
	fmt.Fprintf(b.out, "\n## Posts with acknowledgement\n\n%d bytes with a message id, one in flight for each sender; %d rounds. "+
		"Parley's CPU includes bringing them into the database.\n", len(body), b.rounds())
	tell(b.out, "post", groups...)
	return b.sustained(ctx)
}

// sustainedPosts are enough for a projector that is slower than the senders to fall behind.
const sustainedPosts = 20_000

// sustained measures whether the projector keeps up.
func (b *bench) sustained(ctx context.Context) error {
	const senders = 16
	conns, err := dialAll(senders, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer closeAll(conns)
	if err != nil {
		return err
	}
	each := b.count(sustainedPosts) / senders
	o, err := postAll(conns, each, posting(ctx, conns, room))
	if err != nil {
		return err
	}
	acknowledged := time.Now()
	if err := b.api.projected(ctx, tenantID+"/rooms/"+roomID); err != nil {
		return err
	}
	behind := time.Since(acknowledged)
	n := float64(each * senders)
	fmt.Fprintf(b.out, "%d senders, %.0f posts: %.0f a second acknowledged, %.0f a second readable; the last %s after its acknowledgement.\n",
		senders, n, n/o.wall.Seconds(), n/(o.wall+behind).Seconds(), millis(behind))
	return nil
}

func (b *bench) posts(ctx context.Context, senders, n int) ([]result, error) {
	raw, err := dialAll(senders, b.plain.NATS, func(int) nats.Option { return nats.UserInfo(bareUser, barePassword) })
	defer closeAll(raw)
	if err != nil {
		return nil, err
	}
	ours, err := dialAll(senders, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer closeAll(ours)
	if err != nil {
		return nil, err
	}
	listening, err := dialAll(senders, b.parley.NATS, func(i int) nats.Option { return nats.Token(b.account.tokens[i]) })
	defer closeAll(listening)
	if err != nil {
		return nil, err
	}
	echoes, err := listenAll(listening)
	if err != nil {
		return nil, err
	}
	each, name := n/senders, fmt.Sprintf("senders: %d, ", senders)
	return interleave(ctx, b.rounds(), []variant{
		{name + "raw stream", b.plain, each * senders, func(ctx context.Context) (outcome, error) {
			return postAll(raw, each, posting(ctx, raw, room))
		}},
		{name + "Parley", b.parley, each * senders, func(ctx context.Context) (outcome, error) {
			o, err := postAll(ours, each, posting(ctx, ours, room))
			return o, errors.Join(err, b.api.projected(ctx, tenantID+"/rooms/"+roomID))
		}},
		{name + "Parley, echo", b.parley, each * senders, func(ctx context.Context) (outcome, error) {
			o, err := postAll(listening, each, func(i int) error { return echoes[i].post(ctx) })
			return o, errors.Join(err, b.api.projected(ctx, tenantID+"/rooms/"+roomID))
		}},
	})
}

// makeStream makes a stream with the settings of a tenant's.
func makeStream(ctx context.Context, url string, c jetstream.StreamConfig) error {
	nc, err := dial(url, userID(0), nats.UserInfo(bareUser, barePassword))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	c.Storage, c.Discard, c.MaxAge, c.MaxBytes = jetstream.FileStorage, jetstream.DiscardOld, 90*24*time.Hour, 1<<32
	c.MaxMsgSize, c.Duplicates, c.AllowDirect = 65<<10, 2*time.Minute, true
	_, err = js.CreateStream(ctx, c)
	return err
}

// dialAll opens n connections of the users in turn. Those that it returns are open, also with an error.
func dialAll(n int, url string, proof func(user int) nats.Option) ([]*nats.Conn, error) {
	all := make([]*nats.Conn, n)
	err := parallel(n, func(i int) (err error) {
		all[i], err = dial(url, userID(i%users), proof(i%users))
		return err
	})
	return all, err
}

func closeAll(conns []*nats.Conn) {
	for _, nc := range conns {
		if nc != nil {
			nc.Close()
		}
	}
}

// postAll has each connection post, one post after the other.
func postAll(conns []*nats.Conn, each int, post func(i int) error) (o outcome, err error) {
	took, errs := make([][]time.Duration, len(conns)), make([]error, len(conns))
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			for range each {
				start := time.Now()
				if errs[i] = post(i); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	wg.Wait()
	o.wall = time.Since(begun)
	for _, t := range took {
		o.each = append(o.each, t...)
	}
	return o, errors.Join(errs...)
}

// posting has a connection post at its user's place and wait for the acknowledgement.
func posting(ctx context.Context, conns []*nats.Conn, place func(tenant.UserID) subject.Post) func(i int) error {
	return func(i int) error { return post(ctx, conns[i], place(userID(i%users))) }
}

// post posts once and wants the stream's word for it.
func post(ctx context.Context, nc *nats.Conn, at subject.Post) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m := nats.NewMsg(at.Chat())
	m.Data = body
	m.Header.Set("Nats-Msg-Id", rand.Text())
	reply, err := nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return fmt.Errorf("post on %s: %w", m.Subject, err)
	}
	return checkAck(reply)
}

// room is the place of a user's posts.
func room(u tenant.UserID) subject.Post {
	return subject.Post{Class: tenant.Std, Kind: tenant.Open, Room: roomID, Sender: string(u)}
}

// echo is a sender who takes his own message, as it is delivered, for the acknowledgement, as clients
// may who listen to their room (client.PostEcho).
type echo struct {
	conn *nats.Conn
	at   subject.Post
	came chan string // message ids
}

func listenAll(conns []*nats.Conn) ([]echo, error) {
	all := make([]echo, len(conns))
	return all, parallel(len(conns), func(i int) error {
		e := echo{conns[i], room(userID(i % users)), make(chan string, 1)}
		all[i] = e
		if _, err := e.conn.Subscribe(e.at.Live(), func(m *nats.Msg) {
			select {
			case e.came <- m.Header.Get(nats.MsgIdHdr):
			default: // nobody waits: posted with an acknowledgement
			}
		}); err != nil {
			return err
		}
		return e.conn.FlushTimeout(10 * time.Second)
	})
}

func (e echo) post(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m := nats.NewMsg(e.at.Chat())
	m.Data = body
	id := rand.Text()
	m.Header.Set(nats.MsgIdHdr, id)
	if err := e.conn.PublishMsg(m); err != nil {
		return err
	}
	for {
		select {
		case got := <-e.came:
			if got == id {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("own message on %s: %w", e.at.Live(), ctx.Err())
		}
	}
}
