package console

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// logBuffer is a log that a test can read while requests run.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A harness is the API on a port, over a fake domain.
type harness struct {
	t    *testing.T
	fake *fake
	c    *console
	url  string
	log  *logBuffer
	reg  *prometheus.Registry

	client *http.Transport
}

// newHarness starts the API over a database; nil: one that does not answer.
func newHarness(t *testing.T, db *pgxpool.Pool) *harness {
	t.Helper()
	if db == nil {
		var err error
		db, err = pgxpool.New(t.Context(), "postgres://127.0.0.1:1/none?connect_timeout=1") // nothing listens on port 1
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
	}
	h := &harness{t: t, fake: newFake(t), log: &logBuffer{}, reg: prometheus.NewRegistry()}
	var err error
	h.c, err = newConsole(Config{
		Service: h.fake, Messages: fakeMessages{h.fake}, Platform: fakePlatform{}, OperatorToken: operatorToken, DB: db,
		Log: slog.New(slog.NewJSONHandler(h.log, nil)), Metrics: h.reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h.c)
	srv.Config = NewServer(h.c, slog.New(slog.DiscardHandler))
	srv.Start()
	h.url, h.client = srv.URL, &http.Transport{}
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		srv.Close()
	})
	return h
}

type reply struct {
	status int
	header http.Header
	body   string
}

// failure decodes an answer in the form of an error.
func (r reply) failure(t *testing.T) failure {
	t.Helper()
	var f failure
	d := json.NewDecoder(strings.NewReader(r.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Code == "" || f.Message == "" {
		t.Fatalf("got %d %q (%v), want an error of the API's form", r.status, r.body, err)
	}
	return f
}

// do sends a request; headers are names and values in turn.
func (h *harness) do(method, path, key, body string, headers ...string) reply {
	h.t.Helper()
	res, err := h.client.RoundTrip(h.request(h.t.Context(), method, path, key, body, headers...)) // follows no redirect
	if err != nil {
		h.t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Error(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (h *harness) request(ctx context.Context, method, path, key, body string, headers ...string) *http.Request {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// eventually asks until it holds, with a deadline.
func (h *harness) eventually(what string, holds func() bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			h.t.Fatalf("got no end, want that %s", what)
		case <-tick.C:
		}
	}
}
