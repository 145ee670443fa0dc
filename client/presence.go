package client

import (
	"context"
	"time"
)

// A Presence says whether a user is there.
type Presence struct {
	User     string    `json:"user"`
	Online   bool      `json:"online"`
	Idle     bool      `json:"idle"`      // there, but away from his screen
	LastSeen time.Time `json:"last_seen"` // zero: never
}

// Presence tells who of a room is there, those who are first; of large rooms the first
// 1,000. For two minutes notices (NoticePresence) tell who comes and goes; WatchPresence goes on
// looking.
func (c *Client) Presence(ctx context.Context, r Room) ([]Presence, error) {
	return c.presence(ctx, roomBody{r.ID})
}

// PresenceOf is Presence of up to 1,000 users by name; it leaves out whom the user can't see.
func (c *Client) PresenceOf(ctx context.Context, users ...string) ([]Presence, error) {
	return c.presence(ctx, struct {
		Users []string `json:"users"`
	}{users})
}

// SetIdle tells the others that the user is away from his screen, or back.
func (c *Client) SetIdle(ctx context.Context, idle bool) error {
	_, err := c.presence(ctx, struct {
		Idle bool `json:"idle"`
	}{idle})
	return err
}

func (c *Client) presence(ctx context.Context, body any) ([]Presence, error) {
	var answer struct {
		Users []Presence `json:"users"`
	}
	err := c.call(ctx, "presence", body, &answer)
	return answer.Users, err
}
