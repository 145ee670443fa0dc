package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"time"

	"parley/tenant"
)

// unrouted is the label of requests for which there is no route: their paths are
// chosen by strangers and would make a time series each.
const unrouted = "none"

// ServeHTTP answers a request, and logs and counts it once. Neither the path nor the
// query is logged: they are the client's, and people put secrets there.
func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.observe(w, r, func(http.Header) {}, c.dispatch)
}

// observe has a request answered; headers adds to those that every answer has.
func (c *console) observe(w http.ResponseWriter, r *http.Request, headers func(http.Header), serve http.HandlerFunc) {
	begun := time.Now()
	call := &call{id: rand.Text()}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
	out := &response{ResponseWriter: w}
	secureHeaders(out.Header(), call.id)
	headers(out.Header())
	if len(r.TransferEncoding) > 0 { // what a proxy may have taken for a part of this request is not read as the next one
		out.Header().Set("Connection", "close")
	}
	defer func() {
		if p := recover(); p != nil {
			c.recovered(out, call, p)
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // how a handler asks the server to cut the connection
			}
		}
		c.record(r, out, call, time.Since(begun))
	}()
	serve(out, r)
}

func secureHeaders(h http.Header, requestID string) {
	h.Set("X-Request-Id", requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
}

// dispatch hands the request to its route, or says in the API's form that there is none.
func (c *console) dispatch(w http.ResponseWriter, r *http.Request) {
	if path.Clean(r.URL.Path) != r.URL.Path { // the mux would redirect //, /./ and /../
		writeFailure(w, domainFailure(tenant.NotFound("route")))
		return
	}
	h, pattern := c.mux.Handler(r)
	if pattern != "" {
		c.mux.ServeHTTP(w, r)
		return
	}
	said := &probe{header: http.Header{}}
	h.ServeHTTP(said, r)
	if said.status != http.StatusMethodNotAllowed {
		writeFailure(w, domainFailure(tenant.NotFound("route")))
		return
	}
	allow := said.header.Get("Allow")
	w.Header().Set("Allow", allow)
	f := domainFailure(tenant.Errorf(tenant.CodeInvalid, "the method %.20q is not one of this route's: %s", r.Method, allow))
	f.status = http.StatusMethodNotAllowed
	writeFailure(w, f)
}

func (c *console) recovered(w *response, call *call, p any) {
	call.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if w.status == 0 {
		writeFailure(w, newFailure(call.id, http.StatusInternalServerError, "", nil))
	}
}

func (c *console) record(r *http.Request, w *response, call *call, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = unrouted
	}
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	c.metrics.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	c.metrics.seconds.WithLabelValues(route).Observe(took.Seconds())
	attrs := []slog.Attr{
		slog.String("request_id", call.id), slog.String("route", route), slog.Int("status", status),
		slog.Duration("took", took), slog.Int64("bytes", w.bytes), slog.String("actor", call.actor.String()),
		slog.String("address", r.RemoteAddr),
	}
	if call.tenant != "" {
		attrs = append(attrs, slog.String("tenant", string(call.tenant)))
	}
	if call.code != "" {
		attrs = append(attrs, slog.String("code", string(call.code)))
	}
	if call.err != nil {
		attrs = append(attrs, slog.String("error", call.err.Error()))
	}
	level := slog.LevelInfo
	gone := r.Context().Err() != nil // the client; then a failure is no news
	if call.err != nil && !gone {
		level = slog.LevelError
	}
	c.log.LogAttrs(r.Context(), level, "http request", attrs...)
}

// response notes what is answered.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection's deadlines.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// probe hears what the mux would say of a request that has no route.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(status int)      { p.status = status }
