// Command room chats with the SDK: it prints what was said in a room, says something, and prints
// what comes until its own message is back, or with -follow until ^C.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"parley/client"
)

func main() {
	o := client.Options{Name: "example room"}
	flag.StringVar(&o.URL, "url", "nats://127.0.0.1:4222", "NATS or WebSocket URL")
	flag.StringVar(&o.CredsFile, "creds", "", "the .creds file of the user")
	flag.StringVar(&o.User, "user", "", "id of the user")
	room := flag.String("room", "lobby", "id of the room")
	follow := flag.Bool("follow", false, "go on until ^C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := chat(ctx, o, *room, strings.Join(flag.Args(), " "), *follow); err != nil {
		fmt.Fprintln(os.Stderr, "room:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: the process ends
	}
}

func chat(ctx context.Context, o client.Options, id, text string, follow bool) error {
	c, err := client.Connect(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	room, err := c.Join(ctx, id)
	if err != nil {
		return err
	}
	l, err := c.Listen(ctx, room, 0)
	if err != nil {
		return err
	}
	mine, err := c.Post(ctx, room, client.Draft{Text: text})
	if err != nil {
		return err
	}
	for m := range l.Messages() {
		if m.Event != nil {
			fmt.Printf("· %s %s\n", m.Event.Type, m.Event.User)
			continue
		}
		fmt.Printf("%s: %s\n", m.Sender, m.Text)
		if m.Seq == mine.Seq && !follow {
			_, err := c.Read(ctx, room, m.Seq)
			return err
		}
	}
	return l.Err()
}
