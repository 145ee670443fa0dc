// Command plain chats with nats.go alone: it listens to a room, posts one
// message, and prints what comes until its own message is back.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	url := flag.String("url", nats.DefaultURL, "NATS or WebSocket URL")
	creds := flag.String("creds", "", "the .creds file of the user")
	user := flag.String("user", "", "id of the user")
	room := flag.String("room", "lobby", "id of an open room of class std")
	flag.Parse()
	if err := chat(*url, *creds, *user, *room, strings.Join(flag.Args(), " ")); err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

func chat(url, creds, user, room, text string) error {
	nc, err := nats.Connect(url, nats.UserCredentials(creds),
		nats.CustomInboxPrefix("_INBOX."+user), // the only inbox that the user may read
		nats.Timeout(5*time.Second))
	if err != nil {
		return err
	}
	defer nc.Close()

	live, err := nc.SubscribeSync("live.std.open." + room + ".*")
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return err
	}
	post := nats.NewMsg("chat.std.open." + room + "." + user)
	post.Data = body
	post.Header.Set("Nats-Msg-Id", nats.NewInbox()) // retry with the same id, and it is stored once
	reply, err := nc.RequestMsg(post, 5*time.Second)
	if err != nil {
		return err
	}
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return errors.New(ack.Error.Description)
	}
	fmt.Println("stored as", ack.Seq)
	for {
		msg, err := live.NextMsg(5 * time.Second)
		if err != nil {
			return err
		}
		sender := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
		fmt.Printf("%s: %s\n", sender, msg.Data)
		if msg.Header.Get("Nats-Sequence") == fmt.Sprint(ack.Seq) {
			return nil
		}
	}
}
