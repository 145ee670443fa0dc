package chat

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// Bounds of the chat API.
const (
	apiWorkers   = 16
	apiQueue     = 1024     // requests that wait for a worker; further ones are answered unavailable
	maxRequest   = 16 << 10 // bytes of a request, beside the new text of an edit
	maxList      = 1000
	defaultList  = 100
	maxQueryText = 200
)

// An operation answers one kind of request. Its answer is a struct with an embedded okay, or one that is encoded.
type operation func(c *Chat, ctx context.Context, who caller, request []byte) (any, error)

// operations are those of DESIGN.md section 9 that there are.
var operations = map[string]operation{
	"whoami":  typed((*Chat).opWhoami),
	"rooms":   typed((*Chat).opRooms),
	"join":    typed((*Chat).opJoin),
	"leave":   typed((*Chat).opLeave),
	"members": typed((*Chat).opMembers),
	"direct":  typed((*Chat).opDirect),
	"history": typed((*Chat).opHistory),
	"missed":  typed((*Chat).opMissed),
	"read":    typed((*Chat).opRead),
	"unread":  typed((*Chat).opUnread),
	"edit":    typed((*Chat).opEdit),
	"delete":  typed((*Chat).opDelete),
	"search":  typed((*Chat).opSearch),
	"react":   typed((*Chat).opReact),

	"create":      typed((*Chat).opCreate),
	"settings":    typed((*Chat).opSettings),
	"freeze":      typed((*Chat).opFreeze),
	"archive":     typed((*Chat).opArchive),
	"delete_room": typed((*Chat).opDeleteRoom),

	"invite": typed((*Chat).opInvite),
	"kick":   typed((*Chat).opKick),
	"ban":    typed((*Chat).opBan),
	"unban":  typed((*Chat).opUnban),
	"role":   typed((*Chat).opRole),
	"mute":   typed((*Chat).opMute),
	"unmute": typed((*Chat).opUnmute),

	"pin":    typed((*Chat).opPin),
	"pins":   typed((*Chat).opPins),
	"notify": typed((*Chat).opNotify),
	"report": typed((*Chat).opReport),
	"block":  typed((*Chat).opBlock),
	"blocks": typed((*Chat).opBlocks),

	"presence": typed((*Chat).opPresence),
}

// typed decodes a request strictly. A service's answer can be aimed at this one, as a PubAck or as
// text of somebody's choice: what does not decode must not run (NATS.md, "services").
func typed[Q any](fn func(c *Chat, ctx context.Context, who caller, q Q) (any, error)) operation {
	return func(c *Chat, ctx context.Context, who caller, request []byte) (any, error) {
		var q Q
		if err := decodeStrict(request, &q); err != nil {
			return nil, malformed(err)
		}
		return fn(c, ctx, who, q)
	}
}

// malformed names the field for which a request was not decoded.
func malformed(err error) error {
	var form *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &form) && form.JSONPointer != "" && errors.Is(form, json.ErrUnknownName):
		return tenant.Invalid(fieldOf(form.JSONPointer), "is no field of this operation")
	case errors.As(err, &form) && form.JSONPointer != "" && form.GoType != nil:
		return tenant.Invalid(fieldOf(form.JSONPointer), "must be "+wordFor(form.GoType))
	case errors.As(err, &syntax) && errors.Is(syntax, jsontext.ErrDuplicateName):
		return tenant.Invalid(fieldOf(syntax.JSONPointer), "must be there once")
	}
	return tenant.Errorf(tenant.CodeInvalid, "the request is not the JSON object that this operation takes")
}

// fieldOf is the field of a request that a fault is in, no longer than any that there is.
func fieldOf(p jsontext.Pointer) string {
	const longest = 40
	for field := range p.Tokens() {
		return strings.ToValidUTF8(field[:min(len(field), longest)], "")
	}
	return ""
}

// wordFor says what JSON a field of a type takes.
func wordFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Uint64:
		return "a whole number from 0"
	case reflect.Slice:
		return "a list"
	default:
		return "of another form"
	}
}

// okay begins every answer that is no refusal.
type okay struct {
	OK bool `json:"ok"`
}

var yes = okay{OK: true}

// encoded is the JSON of an answer.
type encoded []byte

var errAnswerTooLarge = tenant.Errorf(tenant.CodeTooLarge, "the answer is larger than a message may be; ask over HTTP")

type refusalAnswer struct {
	OK      bool              `json:"ok"`
	Code    tenant.Code       `json:"code"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields,omitzero"`
}

// serveAPI answers requests until ctx ends.
func (c *Chat) serveAPI(ctx context.Context) error {
	requests := make(chan *nats.Msg, apiQueue)
	sub, err := c.conn.QueueSubscribe(subject.PlatformAPI, "chat", func(m *nats.Msg) {
		select {
		case requests <- m:
		default:
			c.respond(m, "busy", nil, tenant.Errorf(tenant.CodeUnavailable, "the chat service is busy; try again"))
		}
	})
	if err != nil {
		return fmt.Errorf("serve the chat API: %w", err)
	}
	var wg sync.WaitGroup
	for range apiWorkers {
		wg.Go(func() { c.answerAll(ctx, requests) })
	}
	<-ctx.Done()
	err = sub.Unsubscribe()
	wg.Wait()
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubscription) {
		return nil
	}
	return err
}

// answerAll answers what has come, also after ctx has ended.
func (c *Chat) answerAll(ctx context.Context, requests <-chan *nats.Msg) {
	for {
		select {
		case m := <-requests:
			c.answer(ctx, m)
			continue
		default:
		}
		select {
		case m := <-requests:
			c.answer(ctx, m)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Chat) answer(ctx context.Context, m *nats.Msg) {
	if m.Reply == "" {
		c.metrics.unasked.Inc()
		return
	}
	account, user, op, _ := subject.ParseAPI(m.Subject) // what it does not parse, it returns empty
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timing.answer)
	defer cancel()
	run, known := operations[op]
	if !known {
		c.respond(m, "unknown", nil, tenant.NotFound("operation"))
		return
	}
	answer, err := c.perform(ctx, account, user, op, run, m.Data)
	if err != nil {
		c.logFault(ctx, account, user, op, err)
	}
	c.respond(m, op, answer, err)
}

func (c *Chat) perform(ctx context.Context, account string, user tenant.UserID, op string, run operation, request []byte) (any, error) {
	if op != "edit" && len(request) > maxRequest { // NATS bounds an edit, its new text is measured
		return nil, tenant.Errorf(tenant.CodeTooLarge, "a request has at most %d bytes", maxRequest)
	}
	sql := sqlCaller
	if tenant.ValidUserNKey(string(user)) {
		sql = sqlSigned
	}
	who, err := c.caller(ctx, sql, account, user)
	if isNotFound(err) {
		return nil, tenant.Errorf(tenant.CodeForbidden, "this is no active user of an active tenant")
	}
	if err != nil {
		return nil, err
	}
	return run(c, ctx, who, request)
}

// logFault logs what the caller is not told.
func (c *Chat) logFault(ctx context.Context, account string, user tenant.UserID, op string, err error) {
	e, ok := tenant.AsError(err)
	if !ok || e.Code == tenant.CodeUnavailable {
		c.log.WarnContext(ctx, "chat operation did not succeed", "account", account, "user", user, "op", op, "error", err)
	}
}

// respond publishes an answer without headers. Behind the import the service can't see where its
// answer goes, so it must never look like a chat message: those have no "ok".
func (c *Chat) respond(m *nats.Msg, op string, answer any, err error) {
	if m.Reply == "" {
		c.metrics.unasked.Inc()
		return
	}
	code := "ok"
	if err != nil {
		r := refuse(err)
		answer, code = r, string(r.Code)
	}
	data, err := encode(answer)
	if err == nil && int64(len(data)) > c.conn.MaxPayload() {
		r := refuse(errAnswerTooLarge)
		code = string(r.Code)
		data, err = json.Marshal(r)
	}
	if err == nil {
		err = c.conn.Publish(m.Reply, data)
	}
	if err != nil {
		c.log.Warn("answer was not sent", "op", op, "error", err)
	}
	c.metrics.requests.WithLabelValues(op, code).Inc()
}

func encode(answer any) ([]byte, error) {
	if data, is := answer.(encoded); is {
		return data, nil
	}
	return json.Marshal(answer)
}

func refuse(err error) refusalAnswer {
	e, ok := tenant.AsError(err)
	if !ok {
		return refusalAnswer{Code: tenant.CodeInternal, Message: "Internal error"}
	}
	message := e.Message
	if message == "" {
		message = string(e.Code)
	}
	return refusalAnswer{Code: e.Code, Message: message, Fields: e.Fields}
}

// listLimit is the size of a list that was asked for.
func listLimit(limit int) (int, error) {
	if limit == 0 {
		return defaultList, nil
	}
	if limit < 0 || limit > maxList {
		return 0, tenant.Invalid("limit", "must be 1 to 1,000")
	}
	return limit, nil
}

// parseTime reads a time of a request.
func parseTime(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, tenant.Invalid(field, "must be a time in RFC 3339 form, as 2026-11-22T10:00:00Z")
	}
	return t, nil
}
