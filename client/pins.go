package client

import (
	"context"
	"time"
)

// Mute keeps a user from posting in a room until a time; the zero time: for good. He reads on.
func (c *Client) Mute(ctx context.Context, r Room, user string, until time.Time, reason string) error {
	b := newTerm(r, user, until)
	b.Reason = reason
	return c.call(ctx, "mute", b, nil)
}

// Unmute ends Mute.
func (c *Client) Unmute(ctx context.Context, r Room, user string) error {
	return c.call(ctx, "unmute", whomBody{roomBody{r.ID}, user}, nil)
}

// Pin puts a message among those that a room shows to everybody who comes, or takes it away.
func (c *Client) Pin(ctx context.Context, r Room, seq uint64, on bool) error {
	return c.call(ctx, "pin", struct {
		messageBody
		On bool `json:"on"`
	}{messageBody{roomBody{r.ID}, seq}, on}, nil)
}

// Pins lists the pinned messages of a room, the last pinned first.
func (c *Client) Pins(ctx context.Context, r Room) ([]Message, error) {
	var answer struct {
		Messages []stored `json:"messages"`
	}
	err := c.call(ctx, "pins", roomBody{r.ID}, &answer)
	var all []Message
	for _, s := range answer.Messages {
		all = append(all, s.message())
	}
	return all, err
}

// Report shows a message to the moderators of its room.
func (c *Client) Report(ctx context.Context, r Room, seq uint64, reason string) error {
	return c.call(ctx, "report", struct {
		messageBody
		Reason string `json:"reason"`
	}{messageBody{roomBody{r.ID}, seq}, reason}, nil)
}

// What Notify takes.
const (
	NotifyAll      = "all"
	NotifyMentions = "mentions"
	NotifyNone     = "none"
)

// Notify says what the user wants to be told of a room that he does not look at.
func (c *Client) Notify(ctx context.Context, r Room, level string) error {
	return c.call(ctx, "notify", struct {
		roomBody
		Level string `json:"level"`
	}{roomBody{r.ID}, level}, nil)
}

// Block keeps another user's direct messages, mentions and invitations away, or lets them in again.
func (c *Client) Block(ctx context.Context, user string, on bool) error {
	return c.call(ctx, "block", struct {
		User string `json:"user"`
		On   bool   `json:"on"`
	}{user, on}, nil)
}

// Blocks lists whom the user has blocked.
func (c *Client) Blocks(ctx context.Context) ([]string, error) {
	var answer struct {
		Users []string `json:"users"`
	}
	err := c.call(ctx, "blocks", struct{}{}, &answer)
	return answer.Users, err
}
