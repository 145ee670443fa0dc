package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"parley/client"
)

// A user goes to a room, says hello, and prints what he has not read and what comes.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()

	c, err := client.Connect(ctx, client.Options{
		URL:  "nats://127.0.0.1:4222",
		User: "alice",
		Token: func(ctx context.Context) (string, error) {
			return "a token that your backend signed for alice", nil
		},
	})
	if err != nil {
		log.Print(err)
		return
	}
	defer c.Close()

	lobby, err := c.Join(ctx, "lobby")
	if err != nil {
		log.Print(err)
		return
	}
	if _, err := c.Post(ctx, lobby, client.Draft{Text: "Hello!"}); err != nil {
		log.Print(err)
		return
	}
	l, err := c.Listen(ctx, lobby, lobby.Read)
	if err != nil {
		log.Print(err)
		return
	}
	for m := range l.Messages() {
		fmt.Printf("%s: %s\n", m.Sender, m.Text)
	}
	log.Print(l.Err()) // a *client.RevokedError, if that is why
}
