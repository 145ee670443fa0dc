package client

import (
	"context"
)

type messageBody struct {
	roomBody
	Seq uint64 `json:"seq"`
}

// Edit replaces the text of one of the user's own messages, and returns the message as
// it is then. The others learn it from an event of type EventEdited.
func (c *Client) Edit(ctx context.Context, r Room, seq uint64, text string) (Message, error) {
	return c.change(ctx, "edit", struct {
		messageBody
		Text string `json:"text"`
	}{messageBody{roomBody{r.ID}, seq}, text})
}

// Delete takes the text of a message away: of one's own, or as a moderator of anybody's.
// What stays is its place, marked as Deleted.
func (c *Client) Delete(ctx context.Context, r Room, seq uint64) (Message, error) {
	return c.change(ctx, "delete", messageBody{roomBody{r.ID}, seq})
}

// React adds the user's reaction to a message; emoji is exactly one.
func (c *Client) React(ctx context.Context, r Room, seq uint64, emoji string) (Message, error) {
	return c.react(ctx, r, seq, emoji, false)
}

// Unreact takes the user's reaction back.
func (c *Client) Unreact(ctx context.Context, r Room, seq uint64, emoji string) (Message, error) {
	return c.react(ctx, r, seq, emoji, true)
}

func (c *Client) react(ctx context.Context, r Room, seq uint64, emoji string, remove bool) (Message, error) {
	return c.change(ctx, "react", struct {
		messageBody
		Emoji  string `json:"emoji"`
		Remove bool   `json:"remove,omitempty"`
	}{messageBody{roomBody{r.ID}, seq}, emoji, remove})
}

// change runs an operation that answers with the message as it is then.
func (c *Client) change(ctx context.Context, op string, body any) (Message, error) {
	var answer struct {
		Message stored `json:"message"`
	}
	err := c.call(ctx, op, body, &answer)
	return answer.Message.message(), err
}
