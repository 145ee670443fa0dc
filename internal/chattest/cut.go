package chattest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A Proxy stands between clients and a server, and can lose an answer.
type Proxy struct {
	URL     string
	swallow atomic.Bool
}

// Cut runs a proxy in front of s until the test ends.
func Cut(t testing.TB, s *Server) *Proxy {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("chattest: %v", err)
	}
	p := &Proxy{URL: "nats://" + ln.Addr().String()}
	target := s.ns.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(t.Context(), conn, target) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return p
}

// SwallowNext loses the next bytes from the server, and cuts the connection they were for.
func (p *Proxy) SwallowNext() { p.swallow.Store(true) }

func (p *Proxy) serve(ctx context.Context, client net.Conn, target string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	defer up.Wait()
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || p.swallow.CompareAndSwap(true, false) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
