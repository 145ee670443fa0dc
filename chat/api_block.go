package chat

import (
	"context"

	"parley/tenant"
)

// Blocking is whom a user wants nothing from.
type Blocking interface {
	Block(ctx context.Context, t tenant.TenantID, u, other tenant.UserID, on bool) error
	Blocks(ctx context.Context, t tenant.TenantID, u tenant.UserID) ([]tenant.UserID, error)
}

type blockRequest struct {
	User string `json:"user"`
	On   *bool  `json:"on"` // absent: true
}

func (c *Chat) opBlock(ctx context.Context, who caller, q blockRequest) (any, error) {
	other, err := tenant.ParseUserID("user", q.User)
	if err != nil {
		return nil, err
	}
	return done(c.rooms.Block(ctx, who.tenant, who.user, other, q.On == nil || *q.On))
}

type blocksAnswer struct {
	okay
	Users []tenant.UserID `json:"users"`
}

func (c *Chat) opBlocks(ctx context.Context, who caller, _ struct{}) (any, error) {
	users, err := c.rooms.Blocks(ctx, who.tenant, who.user)
	if err != nil {
		return nil, err
	}
	if users == nil {
		users = []tenant.UserID{}
	}
	return blocksAnswer{okay: yes, Users: users}, nil
}
