package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley/tenant"
)

// linesType is a JSON value on each line.
const linesType = "application/x-ndjson"

// Bounds of answers that are written while they are read.
const (
	longTime   = time.Hour        // of one export; a longer one goes on with after
	writePause = 30 * time.Second // for a client to take what is written
	flushBytes = 64 << 10
)

// lines is the option of a route whose answer is NDJSON of any length.
func lines() option {
	return func(op *huma.Operation, t *traits) {
		t.long = true
		op.Responses = map[string]*huma.Response{"200": {
			Description: "A JSON value on each line; an answer that breaks off is incomplete",
			Content:     map[string]*huma.MediaType{linesType: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
	}
}

// takesLines is the option of a route whose body is NDJSON.
func takesLines() option {
	return func(op *huma.Operation, t *traits) {
		t.lines = true
		op.RequestBody = &huma.RequestBody{
			Required: true, Description: "Messages as an export has them, one on each line",
			Content: map[string]*huma.MediaType{linesType: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}
	}
}

type exportQuery struct {
	After uint64 `query:"after" doc:"The last seq of an export that broke off: what follows it comes"`
}

func (c *console) exportRoom(ctx context.Context, in *exportQuery) (*huma.StreamResponse, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeRead, call.tenant); err != nil {
		return nil, err
	}
	return c.stream(func(ctx context.Context, line func(any) error) error {
		return c.messages.ExportRoom(ctx, call.tenant, call.room, in.After, line)
	}), nil
}

type heldQuery struct {
	After int64 `query:"after" minimum:"0" doc:"The last id of an export that broke off: what follows it comes"`
}

func (c *console) exportHeld(ctx context.Context, in *heldQuery) (*huma.StreamResponse, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeAdmin, call.tenant); err != nil {
		return nil, err
	}
	return c.stream(func(ctx context.Context, line func(any) error) error {
		return c.messages.ExportHeld(ctx, call.tenant, call.room, in.After, line)
	}), nil
}

func (c *console) exportUser(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeAdmin, call.tenant); err != nil {
		return nil, err
	}
	return c.stream(func(ctx context.Context, line func(any) error) error {
		return c.messages.ExportUser(ctx, call.tenant, call.user, line)
	}), nil
}

// An export writes lines, each a JSON value.
type export func(ctx context.Context, line func(any) error) error

// stream is the answer of a route that exports.
func (c *console) stream(e export) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		if err := e.write(hctx.Context(), w, nil); err != nil {
			fail(hctx, err)
		}
	}}
}

// write writes lines as they come, behind headers. A fault before the first is returned, to be answered as any other;
// after it the connection is cut, so that nobody takes the part for the whole.
func (e export) write(ctx context.Context, w http.ResponseWriter, headers map[string]string) error {
	conn := http.NewResponseController(w)
	var out *bufio.Writer
	begin := func() {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Type", linesType)
		w.WriteHeader(http.StatusOK)
		out = bufio.NewWriterSize(deadlined{w, conn}, flushBytes)
	}
	err := e(ctx, func(v any) error {
		if out == nil {
			begin()
		}
		return json.NewEncoder(out).Encode(v)
	})
	switch {
	case err == nil && out == nil:
		begin()
	case err == nil:
		err = out.Flush()
	case out == nil:
		return err
	}
	if err != nil {
		callOf(ctx).err = err
		panic(http.ErrAbortHandler)
	}
	return nil
}

// deadlined gives each write a time of its own, and not one for all.
type deadlined struct {
	http.ResponseWriter
	conn *http.ResponseController
}

func (d deadlined) Write(b []byte) (int, error) {
	_ = d.conn.SetWriteDeadline(time.Now().Add(writePause)) // a recorder in a test has none
	return d.ResponseWriter.Write(b)
}

type importQuery struct {
	Line int `query:"line" minimum:"1" default:"1" doc:"The number of the body's first line, by which broken ones are told"`
}

type imported struct {
	Body tenant.Imported
}

func (c *console) importRoom(ctx context.Context, in *importQuery) (*imported, error) {
	call := callOf(ctx)
	if err := call.actor.Allow(tenant.ScopeAdmin, call.tenant); err != nil {
		return nil, err
	}
	done, err := c.messages.ImportRoom(ctx, call.tenant, call.room, call.body, in.Line)
	return &imported{done}, err
}
