package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/console"
)

// listeners are the ports of the HTTP servers, open but not yet answered.
type listeners struct{ http, metrics net.Listener }

func (a *app) listen(ctx context.Context) (l listeners, err error) {
	if a.ports, err = a.tls(); err != nil {
		return l, err
	}
	if a.plays(roleConsole) {
		if l.http, err = listen(ctx, "http", a.HTTP); err != nil {
			return l, err
		}
		a.onStop("http port", closing(l.http))
		if a.ports.http != nil {
			l.http = tls.NewListener(l.http, a.ports.http)
		}
	}
	if l.metrics, err = listen(ctx, "metrics", a.Metrics); err != nil {
		return l, err
	}
	a.onStop("metrics port", closing(l.metrics))
	if a.clustered() {
		return l, nil
	}
	for _, p := range []struct{ flag, addr string }{{"nats", a.NATS}, {"ws", a.WS}} {
		probe, err := listen(ctx, p.flag, p.addr)
		if err != nil {
			return l, err
		}
		if err := probe.Close(); err != nil {
			return l, err
		}
	}
	return l, nil
}

func closing(l net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // its server closes it too
			return err
		}
		return nil
	}
}

// startHTTP opens the API and the metrics, and tells that all is ready.
func (a *app) startHTTP(ctx context.Context, l listeners) error {
	run := RunInfo{Metrics: "http://" + l.metrics.Addr().String()}
	run.NATS, run.WS = a.addresses()
	public := a.PublicURL
	if a.plays(roleConsole) {
		var err error
		if run.HTTP, run.TLSCert, err = a.httpAddress(l.http); err != nil {
			return err
		}
		public = strings.TrimRight(cmp.Or(a.PublicURL, run.HTTP), "/")
		if err := a.startConsole(l.http, run, public); err != nil {
			return err
		}
	}
	a.serve("metrics", &http.Server{Handler: a.health(), ReadHeaderTimeout: 5 * time.Second}, l.metrics)
	if err := a.ready(run); err != nil || !a.plays(roleConsole) {
		return err
	}
	return a.inviteOperator(ctx, public)
}

// httpAddress is where the console answers, and the file of the certificate that it shows there.
func (a *app) httpAddress(l net.Listener) (url, cert string, err error) {
	if a.ports.http == nil {
		return "http://" + l.Addr().String(), "", nil
	}
	cert, err = filepath.Abs(a.TLSCert)
	return "https://" + l.Addr().String(), cert, err
}

// startConsole serves the HTTP API and the web console.
func (a *app) startConsole(l net.Listener, run RunInfo, public string) error {
	token, err := a.dir.operatorToken()
	if err != nil {
		return err
	}
	sso, err := a.sso()
	if err != nil {
		return err
	}
	handler, err := console.New(console.Config{
		Service: a.service, Messages: a.chat, Platform: platform{a.accounts, a.chat, a.trail, a.dir.path, a.ports.http}, OperatorToken: token, DB: a.pool, Log: a.Logger, Metrics: a.registry,
		Web: &console.WebConfig{
			People: a.people, PublicURL: public, Live: a.chat, SSO: sso,
			NATSURL: cmp.Or(a.PublicNATS, a.reached(run.NATS)), WSURL: cmp.Or(a.PublicWS, a.reached(run.WS)),
		},
	})
	if err != nil {
		return err
	}
	a.serve("http", console.NewServer(handler, a.Logger), l)
	return nil
}

func (a *app) serve(name string, s *http.Server, l net.Listener) {
	a.background(name+" server", func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- s.Serve(l) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if err != nil {
			err = s.Close()
		}
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
}

// health serves what a supervisor asks: is it alive, can it do its work, how is it.
func (a *app) health() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := a.pool.Ping(ctx); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}
