package console

import (
	"context"

	"parley/tenant"
)

type messageAnswer struct {
	Body struct {
		Message tenant.Message `json:"message"`
	} `nameHint:"MessageAnswer"`
}

// by finds who acts, and asks for the key's scope.
func by(ctx context.Context, as string) (tenant.UserID, error) {
	id, err := tenant.ParseUserID("as", as)
	if err != nil {
		return "", err
	}
	call := callOf(ctx)
	return id, call.actor.Allow(tenant.ScopeChat, call.tenant)
}

type messageEdit struct {
	Seq  uint64 `path:"seq" minimum:"1" doc:"The message's sequence"`
	Body struct {
		As   string `json:"as" doc:"Its author"`
		Text string `json:"text"`
	} `nameHint:"MessageEdit"`
}

func (c *console) editMessage(ctx context.Context, in *messageEdit) (*messageAnswer, error) {
	as, err := by(ctx, in.Body.As)
	if err != nil {
		return nil, err
	}
	call, out := callOf(ctx), &messageAnswer{}
	out.Body.Message, err = c.messages.EditMessage(ctx, call.tenant, call.room, as, in.Seq, in.Body.Text)
	return out, err
}

type messageReaction struct {
	Seq  uint64 `path:"seq" minimum:"1" doc:"The message's sequence"`
	Body struct {
		As     string `json:"as" doc:"The user who reacts"`
		Emoji  string `json:"emoji" doc:"Exactly one"`
		Remove bool   `json:"remove,omitempty" doc:"Take it away"`
	} `nameHint:"MessageReaction"`
}

func (c *console) reactToMessage(ctx context.Context, in *messageReaction) (*messageAnswer, error) {
	as, err := by(ctx, in.Body.As)
	if err != nil {
		return nil, err
	}
	call, out := callOf(ctx), &messageAnswer{}
	out.Body.Message, err = c.messages.React(ctx, call.tenant, call.room, as, in.Seq, in.Body.Emoji, in.Body.Remove)
	return out, err
}

type messageDeletion struct {
	Seq uint64 `path:"seq" minimum:"1" doc:"The message's sequence"`
	As  string `query:"as" doc:"Its author or a moderator; left out: the tenant itself, which may delete any"`
}

func (c *console) deleteMessage(ctx context.Context, in *messageDeletion) (*struct{}, error) {
	call := callOf(ctx)
	scope, as := tenant.ScopeAdmin, tenant.UserID("")
	if in.As != "" {
		var err error
		if as, err = tenant.ParseUserID("as", in.As); err != nil {
			return nil, err
		}
		scope = tenant.ScopeChat
	}
	if err := call.actor.Allow(scope, call.tenant); err != nil {
		return nil, err
	}
	return nil, c.messages.DeleteMessage(ctx, call.actor, call.tenant, call.room, as, in.Seq)
}

type pin struct {
	Seq uint64 `path:"seq" minimum:"1" doc:"The message's sequence"`
}

func (c *console) pinMessage(ctx context.Context, in *pin) (*struct{}, error) {
	return nil, c.setPin(ctx, in.Seq, true)
}

func (c *console) unpinMessage(ctx context.Context, in *pin) (*struct{}, error) {
	return nil, c.setPin(ctx, in.Seq, false)
}

func (c *console) setPin(ctx context.Context, seq uint64, on bool) error {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeModerate, call.tenant); err != nil {
		return err
	}
	return c.messages.PinMessage(ctx, call.actor, call.tenant, call.room, seq, on)
}
