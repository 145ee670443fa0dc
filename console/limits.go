package console

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"parley/tenant"
)

const (
	maxBody  = 1 << 20          // bytes
	bodyTime = 10 * time.Second // for a body to arrive
)

func tooLarge() *tenant.Error {
	return tenant.Errorf(tenant.CodeTooLarge, "the body is larger than %d bytes", maxBody)
}

func isWrite(ctx huma.Context) bool {
	return ctx.Method() != http.MethodGet && ctx.Method() != http.MethodHead
}

// readBody reads the body of a write at once, so that its hash and its form are known before it counts.
func (c *console) readBody(ctx huma.Context, next func(huma.Context)) {
	if !isWrite(ctx) {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	body, err := readAll(w, r)
	if err != nil {
		fail(ctx, err)
		return
	}
	callOf(ctx.Context()).body = body
	r.Body = io.NopCloser(bytes.NewReader(body)) // huma reads it from there
	next(ctx)
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	// The deadline ends with the body: one that expired later would cancel the request while it runs.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(bodyTime)) // a recorder in a test has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, tenant.Errorf(tenant.CodeInvalid, "the body did not arrive whole within %s", bodyTime)
	}
	_ = conn.SetReadDeadline(time.Time{})
	return body, nil
}
