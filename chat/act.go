package chat

import (
	"context"
	"fmt"

	"parley/tenant"
)

// EditMessage replaces the text of a message of the user as, by the rules of the chat API.
func (c *Chat) EditMessage(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, text string) (tenant.Message, error) {
	return c.act(ctx, t, as, func(ctx context.Context, who caller) (any, error) {
		return c.opEdit(ctx, who, editRequest{Room: string(r), Seq: seq, Text: text})
	})
}

// DeleteMessage leaves a tombstone of a message: for the user as, or where that is empty for the tenant
// itself, which may delete any: the actor a, whom the audit names.
func (c *Chat) DeleteMessage(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64) error {
	_, err := c.act(ctx, t, as, func(ctx context.Context, who caller) (any, error) {
		if as == "" {
			room, m, err := c.message(ctx, who, string(r), seq)
			if err == nil && m.Deleted.IsZero() && room.rights.Moderate {
				err = c.rooms.NoteDeletion(ctx, a, who.tenant, room.id, seq)
			}
			if err != nil {
				return nil, err
			}
		}
		return c.opDelete(ctx, who, deleteRequest{Room: string(r), Seq: seq})
	})
	return err
}

// React adds a reaction of the user as to a message, or takes it away.
func (c *Chat) React(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, emoji string, remove bool) (tenant.Message, error) {
	return c.act(ctx, t, as, func(ctx context.Context, who caller) (any, error) {
		return c.opReact(ctx, who, reactRequest{Room: string(r), Seq: seq, Emoji: emoji, Remove: remove})
	})
}

// PinMessage pins a message, or takes the pin away, for the tenant itself: the actor a, whom the audit names.
func (c *Chat) PinMessage(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, seq uint64, on bool) error {
	_, err := c.act(ctx, t, "", func(ctx context.Context, who caller) (any, error) {
		room, m, err := c.message(ctx, who, string(r), seq)
		if err != nil {
			return nil, err
		}
		return messageAnswer{okay: yes, Message: m}, c.pin(ctx, a, who.tenant, room, m, on)
	})
	return err
}

const sqlTenantItself = `SELECT tenant_id, account, limits, $2, '' FROM tenants WHERE tenant_id = $1 AND status = 'active'`

// act carries out an operation of the chat API for a backend.
func (c *Chat) act(ctx context.Context, t tenant.TenantID, as tenant.UserID, do func(context.Context, caller) (any, error)) (tenant.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.call)
	defer cancel()
	sql := sqlPoster
	if as == "" {
		sql = sqlTenantItself
	}
	who, err := c.caller(ctx, sql, string(t), as)
	if isNotFound(err) {
		return tenant.Message{}, tenant.Invalid("as", "is no active user of this tenant")
	}
	if err != nil {
		return tenant.Message{}, fmt.Errorf("find user %s: %w", as, err)
	}
	answer, err := do(ctx, who)
	if err != nil {
		return tenant.Message{}, err
	}
	m, ok := answer.(messageAnswer)
	if !ok {
		return tenant.Message{}, fmt.Errorf("got %T, want a message", answer)
	}
	return m.Message, nil
}
