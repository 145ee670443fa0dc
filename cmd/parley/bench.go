package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/client"
	"parley/internal/loadtest"
)

type benchCmd struct {
	userArg
	Room string `arg:"" help:"Id of a room that the user may post in and read. What is posted stays there: make one for the purpose."`
	userMethod
	Messages  int           `help:"How many messages are posted at most." placeholder:"N"`
	For       time.Duration `help:"For how long messages are posted at most. One of --messages and --for is required." placeholder:"DURATION"`
	Senders   int           `help:"Connections that post, each waiting for its acknowledgement." default:"4" placeholder:"N"`
	Listeners int           `help:"Connections that listen." default:"1" placeholder:"N"`
	Size      int           `help:"Bytes of a message's text." default:"128" placeholder:"N"`
	Rate      int           `help:"Posts a second of all senders together at most; 0: as many as are acknowledged. Who posts faster than the tenant's limit messages_per_second is muted for a while." default:"100" placeholder:"N"`
}

// Run loads a running server and says how it did. It is refused where messages were lost, doubled or not acknowledged.
func (c *benchCmd) Run(ctx context.Context, std streams) error {
	o, err := c.options(c.userArg, "parley bench", std)
	if err != nil {
		return err
	}
	r, err := loadtest.Run(ctx, loadtest.Config{
		Connect: func(ctx context.Context) (*client.Client, error) {
			nc, err := client.Connect(ctx, o)
			return nc, explain(err, c.Tenant)
		},
		Room: c.Room, Messages: c.Messages, For: c.For, Senders: c.Senders, Listeners: c.Listeners, Size: c.Size, Rate: c.Rate,
		Progress: func(p loadtest.Progress) {
			fmt.Fprintf(std.err, "%3.0f s: %d posted, %.0f a second, %d deliveries awaited\n", p.Elapsed.Seconds(), p.Posted, p.PerSecond, p.Awaited)
		},
	})
	if err != nil {
		return err
	}
	if err := c.show(std, r); err != nil {
		return err
	}
	if r.Lost+r.Doubled+r.Failed > 0 {
		return errors.New("messages were lost, doubled or not acknowledged")
	}
	return nil
}

func (c *benchCmd) show(std streams, r loadtest.Report) error {
	if c.JSON {
		return json.NewEncoder(std.out).Encode(r)
	}
	_, err := fmt.Fprintf(std.out, "%d posts in %.1f s, %.0f a second\n", r.Posts, r.Seconds, r.PerSecond)
	if err != nil {
		return err
	}
	ms := func(v float64) string { return fmt.Sprintf("%.2f ms", v) }
	rows := [][]string{{"acknowledged", ms(r.Acknowledged.P50), ms(r.Acknowledged.P99), ms(r.Acknowledged.Max)}}
	if r.Deliveries > 0 {
		rows = append(rows, []string{"delivered", ms(r.Delivered.P50), ms(r.Delivered.P99), ms(r.Delivered.Max)})
	}
	table(std.out, "", []string{"from the post until", "p50", "p99", "max"}, rows)
	_, err = fmt.Fprintf(std.out, "%d lost, %d doubled, %d not acknowledged\n", r.Lost, r.Doubled, r.Failed)
	return err
}
