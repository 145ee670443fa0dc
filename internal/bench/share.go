package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

const (
	guests      = 50 // in one room
	hosted      = 4  // rooms that each guest is in: 200 shares of one host
	freshShares = 50
	serviceID   = "echo"
)

func guestID(i int) string { return fmt.Sprintf("guest%03d", i) }

const (
	sharedID      = "plaza"
	sharedSenders = 16
	sharedPosts   = 2000 // in a round
)

// sharedPost measures acknowledged posts into a room that another tenant shares, by the host's users and by the
// guest's, against posts into a private room.
func sharedPost(ctx context.Context, b *bench) error {
	address, guests, err := b.plaza(ctx)
	if err != nil {
		return err
	}
	each := max(b.count(sharedPosts)/sharedSenders, 1)
	places := []struct {
		name   string
		tokens []string
		room   string // in the working set
		place  func(u tenant.UserID) subject.Post
		of     string // whose room is waited for
	}{
		{"private room", b.account.tokens, "den", func(u tenant.UserID) subject.Post {
			return subject.Post{Class: tenant.Std, Kind: tenant.Private, Room: "den", Sender: string(u)}
		}, tenantID + "/rooms/den"},
		{"shared room, the host's users", b.account.tokens, sharedID, inPlaza(address), tenantID + "/rooms/" + sharedID},
		{"shared room, the guest's users", guests, string(address), inPlaza(address), tenantID + "/rooms/" + sharedID},
	}
	var variants []variant
	for _, p := range places {
		conns, err := dialAll(sharedSenders, b.parley.NATS, func(i int) nats.Option { return nats.Token(p.tokens[i] + ";rooms=" + p.room) })
		defer closeAll(conns)
		if err != nil {
			return err
		}
		variants = append(variants, variant{p.name, b.parley, each * sharedSenders, func(ctx context.Context) (outcome, error) {
			o, err := postAll(conns, each, posting(ctx, conns, p.place))
			return o, errors.Join(err, b.api.projected(ctx, p.of))
		}})
	}
	results, err := interleave(ctx, b.rounds(), variants)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n## Posts in a shared room\n\n%d bytes with acknowledgement, %d senders with one in flight each; %d rounds.\n", len(body), sharedSenders, b.rounds())
	tell(b.out, "post", results)
	return nil
}

func inPlaza(address tenant.RoomID) func(tenant.UserID) subject.Post {
	return func(u tenant.UserID) subject.Post {
		return subject.Post{Kind: tenant.Shared, Room: address, Sender: string(u)}
	}
}

// plaza makes a private room and one that a guest shares, with members, and returns tokens of the guest's users.
func (b *bench) plaza(ctx context.Context) (address tenant.RoomID, tokens []string, err error) {
	const guest = "plazaguest"
	if err := b.api.call(ctx, http.MethodPost, "", map[string]any{"id": guest, "limits": roomy}, nil); err != nil {
		return "", nil, err
	}
	for id, kind := range map[string]string{"den": "private", sharedID: "shared"} {
		if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": id, "kind": kind}, nil); err != nil {
			return "", nil, err
		}
	}
	sh, err := b.share(ctx, map[string]any{"room": sharedID, "guest": guest, "post": true})
	if err != nil {
		return "", nil, err
	}
	tokens = make([]string, sharedSenders)
	return sh.Room, tokens, parallel(sharedSenders, func(i int) (err error) {
		u := string(userID(i))
		member := map[string]string{"role": "member"}
		if tokens[i], err = b.api.user(ctx, guest, userID(i)); err != nil {
			return err
		}
		return errors.Join(
			b.api.call(ctx, http.MethodPut, "/"+tenantID+"/rooms/den/members/"+u, member, nil),
			b.api.call(ctx, http.MethodPut, "/"+tenantID+"/rooms/"+sharedID+"/members/"+u, member, nil),
			b.api.call(ctx, http.MethodPut, "/"+guest+"/rooms/"+string(sh.Room)+"/members/"+u, member, nil))
	})
}

// shared is what one share took, from the call that offers it.
type shared struct{ accepted, first time.Duration }

// shares measures from the offer of a room to its first message at the guest, and from the offer of a service to
// its first answer, by a host that has 200 shares, 50 of them of one room.
func shares(ctx context.Context, b *bench) error {
	tokens, err := b.shareMuch(ctx)
	if err != nil {
		return err
	}
	bot, err := b.echo(ctx)
	if err != nil {
		return err
	}
	defer bot.Close()
	var rooms, services []shared
	for i := range b.count(freshShares) {
		guest := i % guests
		r, err := b.shareRoom(ctx, fmt.Sprint("fresh", i), guestID(guest), tokens[guest])
		if err != nil {
			return err
		}
		s, err := b.shareService(ctx, guestID(guest), tokens[guest])
		if err != nil {
			return err
		}
		rooms, services = append(rooms, r), append(services, s)
	}
	fmt.Fprintf(b.out, "\n## Shares\n\n%d rooms and as many services, offered one by one to guests by a host that has %d shares, %d of them of one room.\n",
		len(rooms), guests*hosted, guests)
	t := table{head: []string{"from the offer", "p50", "p99", "max"}}
	for _, m := range []struct {
		name string
		all  []shared
		of   func(shared) time.Duration
	}{
		{"a room is accepted", rooms, func(s shared) time.Duration { return s.accepted }},
		{"its first message is at the guest's new member", rooms, func(s shared) time.Duration { return s.first }},
		{"a service is accepted", services, func(s shared) time.Duration { return s.accepted }},
		{"its first answer is at the guest", services, func(s shared) time.Duration { return s.first }},
	} {
		var took []time.Duration
		for _, s := range m.all {
			took = append(took, m.of(s))
		}
		t.rows = append(t.rows, []string{m.name, millis(percentile(took, 50)), millis(percentile(took, 99)), millis(percentile(took, 100))})
	}
	t.print(b.out)
	return sharedPost(ctx, b)
}

// shareMuch makes the guests with a user zed each, whose tokens it returns, and shares the host's rooms with them.
func (b *bench) shareMuch(ctx context.Context) (tokens []string, err error) {
	for i := range hosted {
		if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": fmt.Sprint("hall", i), "kind": "shared"}, nil); err != nil {
			return nil, err
		}
	}
	tokens = make([]string, guests)
	return tokens, parallel(guests, func(i int) error {
		if err := b.api.call(ctx, http.MethodPost, "", map[string]string{"id": guestID(i)}, nil); err != nil {
			return err
		}
		if err := b.api.call(ctx, http.MethodPut, "/"+guestID(i)+"/users/zed", struct{}{}, nil); err != nil {
			return err
		}
		var minted struct{ Token string }
		if err := b.api.call(ctx, http.MethodPost, "/"+guestID(i)+"/users/zed/tokens", map[string]int{"ttl_seconds": 3600}, &minted); err != nil {
			return err
		}
		tokens[i] = minted.Token
		for room := range hosted {
			if _, err := b.share(ctx, map[string]any{"room": fmt.Sprint("hall", room), "guest": guestID(i), "post": true}); err != nil {
				return err
			}
		}
		return nil
	})
}

// share offers, and accepts.
func (b *bench) share(ctx context.Context, offer map[string]any) (tenant.Share, error) {
	var made struct{ Share tenant.Share }
	if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/shares", offer, &made); err != nil {
		return made.Share, err
	}
	return made.Share, b.api.call(ctx, http.MethodPost, fmt.Sprintf("/%s/shares/%s/accept", offer["guest"], made.Share.ID), nil, nil)
}

// shareRoom has a member of the guest's connect and listen, and one of the host's post.
func (b *bench) shareRoom(ctx context.Context, id, guest, token string) (s shared, err error) {
	var made struct{ Room tenant.Room }
	if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/rooms", map[string]string{"id": id, "kind": "shared"}, &made); err != nil {
		return s, err
	}
	place := subject.Post{Kind: tenant.Shared, Room: tenant.RoomID(made.Room.Address), Sender: string(userID(0))}
	if err := b.api.call(ctx, http.MethodPut, "/"+tenantID+"/rooms/"+id+"/members/"+string(userID(0)), map[string]string{"role": "member"}, nil); err != nil {
		return s, err
	}
	host, err := dial(b.parley.NATS, userID(0), nats.Token(b.account.tokens[0]+";rooms="+id))
	if err != nil {
		return s, err
	}
	defer host.Close()

	begun := time.Now()
	sh, err := b.share(ctx, map[string]any{"room": id, "guest": guest, "post": true})
	if err != nil {
		return s, err
	}
	s.accepted = time.Since(begun)
	if err := b.api.call(ctx, http.MethodPut, "/"+guest+"/rooms/"+made.Room.Address+"/members/zed", map[string]string{"role": "member"}, nil); err != nil {
		return s, err
	}
	member, err := dial(b.parley.NATS, "zed", nats.Token(token+";rooms="+made.Room.Address))
	if err != nil {
		return s, err
	}
	defer member.Close()
	live, err := member.SubscribeSync(place.LiveShared(subject.Any))
	if err != nil {
		return s, err
	}
	if err := errors.Join(member.Flush(), host.PublishRequest(place.Chat(), host.NewInbox(), body)); err != nil {
		return s, err
	}
	if _, err := live.NextMsg(10 * time.Second); err != nil {
		return s, err
	}
	s.first = time.Since(begun)
	return s, b.api.call(ctx, http.MethodDelete, "/"+tenantID+"/shares/"+sh.ID, nil, nil)
}

// echo is the host's service.
func (b *bench) echo(ctx context.Context) (*nats.Conn, error) {
	var made struct{ Creds string }
	if err := b.api.call(ctx, http.MethodPost, "/"+tenantID+"/keys", map[string]string{"kind": "service", "name": serviceID}, &made); err != nil {
		return nil, err
	}
	nc, err := dial(b.parley.NATS, serviceID, nats.UserCredentialBytes([]byte(made.Creds)))
	if err != nil {
		return nil, err
	}
	_, err = nc.Subscribe("svc."+serviceID+".*.*", func(m *nats.Msg) { _ = m.Respond(m.Data) }) // the requester waits for it
	return nc, errors.Join(err, nc.Flush())
}

func (b *bench) shareService(ctx context.Context, guest, token string) (s shared, err error) {
	nc, err := dial(b.parley.NATS, "zed", nats.Token(token))
	if err != nil {
		return s, err
	}
	defer nc.Close()
	begun := time.Now()
	sh, err := b.share(ctx, map[string]any{"service": serviceID, "guest": guest})
	if err != nil {
		return s, err
	}
	s.accepted = time.Since(begun)
	if _, err := nc.Request(subject.Ask(serviceID+"@"+tenantID, tenant.TenantID(guest), "zed"), body, 10*time.Second); err != nil {
		return s, err
	}
	s.first = time.Since(begun)
	return s, b.api.call(ctx, http.MethodDelete, "/"+tenantID+"/shares/"+sh.ID, nil, nil)
}
