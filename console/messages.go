package console

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley/tenant"
)

// Messages reads rooms and posts in them. But for pins and deletions, whose actors the audit names, it knows none: the console asks for the key's scope first.
type Messages interface {
	Records
	History(ctx context.Context, t tenant.TenantID, r tenant.RoomID, q tenant.HistoryQuery) (tenant.HistoryPage, error)
	Search(ctx context.Context, t tenant.TenantID, q tenant.SearchQuery) (tenant.FoundPage, error)
	Post(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, m tenant.PostRequest) (seq uint64, err error)
	EditMessage(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, text string) (tenant.Message, error)
	DeleteMessage(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64) error
	PinMessage(ctx context.Context, a tenant.Actor, t tenant.TenantID, r tenant.RoomID, seq uint64, on bool) error
	Pinned(ctx context.Context, t tenant.TenantID, r tenant.RoomID) ([]tenant.Message, error)
	React(ctx context.Context, t tenant.TenantID, r tenant.RoomID, as tenant.UserID, seq uint64, emoji string, remove bool) (tenant.Message, error)
}

type historyQuery struct {
	Before uint64    `query:"before" minimum:"1" doc:"Only what is before this sequence"`
	After  after     `query:"after" doc:"Only what is after this sequence, beginning with the oldest; 0: from the beginning"`
	Since  time.Time `query:"since" doc:"Only what was stored then or later"`
	Until  time.Time `query:"until" doc:"Only what was stored before"`
	Thread uint64    `query:"thread" minimum:"1" doc:"Only the replies to this sequence"`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"How many at most"`
}

// after tells the sequence 0, behind which a room begins, from one that isn't given.
type after struct{ seq uint64 }

// Schema, Receiver and OnParamSet are how huma parses a parameter into a type that isn't plain.
func (after) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[uint64]())
}

func (a *after) Receiver() reflect.Value { return reflect.ValueOf(&a.seq).Elem() }

// OnParamSet makes 0 a 1: sequences begin with a time in microseconds, so that both are before all messages.
func (a *after) OnParamSet(isSet bool, _ any) {
	if isSet && a.seq == 0 {
		a.seq = 1
	}
}

type messagePage struct {
	Body struct {
		Messages []tenant.Message `json:"messages" nullable:"false" doc:"Oldest first"`
		More     bool             `json:"more" doc:"There is more in the direction asked"`
	} `nameHint:"MessagePage"`
}

func (c *console) listMessages(ctx context.Context, in *historyQuery) (*messagePage, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeRead, call.tenant); err != nil {
		return nil, err
	}
	page, err := c.messages.History(ctx, call.tenant, call.room,
		tenant.HistoryQuery{Before: in.Before, After: in.After.seq, Since: in.Since, Until: in.Until, Thread: in.Thread, Limit: in.Limit})
	out := &messagePage{}
	out.Body.Messages, out.Body.More = orEmpty(page.Messages), page.More
	return out, err
}

type newMessage struct {
	Body struct {
		As          string              `json:"as" doc:"The user who posts"`
		Text        string              `json:"text,omitempty" doc:"May be left out beside attachments or data"`
		ID          string              `json:"id,omitempty" doc:"Makes the post repeatable: the same id of the same user is stored once"`
		Thread      uint64              `json:"thread,omitempty" doc:"The sequence of the message that it replies to"`
		Mentions    []tenant.UserID     `json:"mentions,omitempty" doc:"Users, at most 100; those count who can read the room"`
		Attachments []tenant.Attachment `json:"attachments,omitempty" doc:"At most 32 links to files"`
		Data        json.RawMessage     `json:"data,omitempty" doc:"An object of your own"`
	} `nameHint:"NewMessage"`
}

type posted struct {
	Body struct {
		Seq uint64 `json:"seq"`
	} `nameHint:"Posted"`
}

func (c *console) postMessage(ctx context.Context, in *newMessage) (*posted, error) {
	call, b := callOf(ctx), in.Body
	as, err := tenant.ParseUserID("as", b.As)
	if err != nil {
		return nil, err
	}
	if err := call.actor.Allow(tenant.ScopeChat, call.tenant); err != nil {
		return nil, err
	}
	out := &posted{}
	out.Body.Seq, err = c.messages.Post(ctx, call.tenant, call.room, as, tenant.PostRequest{
		Text: b.Text, ID: b.ID, Thread: b.Thread, Mentions: b.Mentions, Attachments: b.Attachments, Data: b.Data,
	})
	return out, err
}
