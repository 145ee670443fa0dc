package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley/tenant"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	maxIdempotencyKey = 255
	settleTime        = 5 * time.Second // to write an answer down, past the request's own deadline
)

// once runs a write that carries an Idempotency-Key at most once: it claims the key before
// the write runs, keeps the answer, and repeats it to whoever sends the same again, without
// its secrets. An answer of the 5xx kind says nothing for sure, and a 429 nothing of the
// write, so they are not kept: the same request then runs again.
func (c *console) once(ctx huma.Context, next func(huma.Context)) {
	key, err := idempotencyKey(ctx)
	if err != nil {
		fail(ctx, err)
		return
	}
	if key == "" {
		next(ctx)
		return
	}
	call := callOf(ctx.Context())
	mine, kept, err := c.answers.claim(ctx.Context(), call.actor.String(), key, requestHash(ctx, call.body))
	if err != nil {
		fail(ctx, err)
		return
	}
	switch {
	case kept == nil:
		c.runClaimed(ctx, mine, next)
	case kept.status == 0:
		fail(ctx, tenant.Errorf(tenant.CodeConflict, "the request with this %s is still under way; ask again in a moment", idempotencyHeader))
	default:
		replay(ctx, *kept)
	}
}

func (c *console) runClaimed(ctx huma.Context, mine claim, next func(huma.Context)) {
	a := &recorder{wrapped: ctx, header: http.Header{}}
	release := func(after context.Context) error { return c.answers.release(after, mine) }
	done := false
	defer func() {
		if !done { // the handler panicked: nobody knows what it did
			settle(ctx, release)
		}
	}()
	next(a)
	done = true
	if a.status >= http.StatusInternalServerError || a.status == http.StatusTooManyRequests {
		settle(ctx, release)
	} else {
		settle(ctx, func(after context.Context) error { return c.keep(after, mine, a) })
	}
	a.send()
}

// settle ends a claim, also where the request's own time is over. That it can't be is for
// the log alone: the write is done, and its answer stands.
func settle(ctx huma.Context, end func(context.Context) error) {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), settleTime)
	defer cancel()
	if err := end(after); err != nil {
		call := callOf(ctx.Context())
		call.err = errors.Join(call.err, err)
	}
}

func (c *console) keep(ctx context.Context, mine claim, a *recorder) error {
	status, body, err := withoutSecrets(traitsOf(a), a.status, a.body.Bytes())
	if err != nil {
		return err
	}
	return c.answers.keep(ctx, mine, answer{status, body})
}

// withoutSecrets is the answer as it may be kept: without the fields that are shown once,
// and where all of it is, a conflict that says so.
func withoutSecrets(t traits, status int, body []byte) (int, []byte, error) {
	switch {
	case status >= http.StatusBadRequest:
		return status, body, nil
	case t.secret:
		return marshalFailure(tenant.Errorf(tenant.CodeConflict, "this was done, and its secret was shown once; send another "+idempotencyHeader+" for a new one"))
	case len(t.secretFields) == 0:
		return status, body, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return 0, nil, fmt.Errorf("take %v out of an answer: %w", t.secretFields, err)
	}
	for _, field := range t.secretFields {
		delete(fields, field)
	}
	body, err := json.Marshal(fields)
	return status, body, err
}

// idempotencyKey returns "" where there is none, or none is wanted.
func idempotencyKey(ctx huma.Context) (string, error) {
	r, _ := humago.Unwrap(ctx)
	values := r.Header.Values(idempotencyHeader)
	if len(values) == 0 || !isWrite(ctx) {
		return "", nil
	}
	ok := len(values) == 1 && len(values[0]) >= 1 && len(values[0]) <= maxIdempotencyKey
	if ok {
		for _, b := range []byte(values[0]) {
			ok = ok && b >= ' ' && b <= '~'
		}
	}
	if !ok {
		return "", tenant.Invalid(idempotencyHeader, fmt.Sprintf("must be one value of 1 to %d printable ASCII characters", maxIdempotencyKey))
	}
	return values[0], nil
}

func requestHash(ctx huma.Context, body []byte) []byte {
	r, _ := humago.Unwrap(ctx)
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery) // none of them can hold a newline
	h.Write(body)
	return h.Sum(nil)
}

func replay(ctx huma.Context, a answer) {
	ctx.SetHeader(replayedHeader, "true")
	if len(a.body) > 0 {
		ctx.SetHeader("Content-Type", jsonType)
	}
	ctx.SetStatus(a.status)
	_, _ = ctx.BodyWriter().Write(a.body) // fails where the client is gone
}

// wrapped is embedded under another name, since Context is one of its methods.
type wrapped = huma.Context

// A recorder holds an answer back until it is kept: a client that has it and
// asks again must find it.
type recorder struct {
	wrapped
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Unwrap() huma.Context            { return r.wrapped }
func (r *recorder) SetStatus(code int)              { r.status = code }
func (r *recorder) Status() int                     { return r.status }
func (r *recorder) SetHeader(name, value string)    { r.header.Set(name, value) }
func (r *recorder) AppendHeader(name, value string) { r.header.Add(name, value) }
func (r *recorder) BodyWriter() io.Writer           { return &r.body }

func (r *recorder) send() {
	for name, values := range r.header {
		for _, v := range values {
			r.wrapped.AppendHeader(name, v)
		}
	}
	r.wrapped.SetStatus(r.status)
	_, _ = r.wrapped.BodyWriter().Write(r.body.Bytes()) // fails where the client is gone
}
