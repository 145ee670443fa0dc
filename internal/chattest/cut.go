package chattest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// A Proxy stands between clients and a server, and can lose an answer or all connections.
type Proxy struct {
	Addr string // host:port
	URL  string // nats://

	mu      sync.Mutex
	target  string
	conns   map[net.Conn]struct{} // to clients
	swallow bool
	broken  bool
}

// Cut runs a proxy in front of s until the test ends.
func Cut(t testing.TB, s *Server) *Proxy {
	t.Helper()
	return Forward(t, s.ns.Addr().String())
}

// Forward runs a proxy in front of a TCP address until the test ends.
func Forward(t testing.TB, target string) *Proxy {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("chattest: %v", err)
	}
	addr := ln.Addr().String()
	p := &Proxy{Addr: addr, URL: "nats://" + addr, target: target, conns: map[net.Conn]struct{}{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.Break()
		wg.Wait()
	})
	return p
}

// Lead makes the connections that come from now on reach another address.
func (p *Proxy) Lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// SwallowNext loses the next bytes from the server, and cuts the connection they were for.
func (p *Proxy) SwallowNext() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow = true
}

// Break cuts all connections, and lets none through until Mend.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for c := range p.conns {
		_ = c.Close()
	}
}

// Mend ends Break.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = false
}

// admit notes a connection and says where it goes; false while broken.
func (p *Proxy) admit(c net.Conn) (target string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.broken {
		p.conns[c] = struct{}{}
	}
	return p.target, !p.broken
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// swallows reports whether the bytes in hand are the ones to lose.
func (p *Proxy) swallows() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.swallow
	p.swallow = false
	return was
}

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	target, ok := p.admit(client)
	if !ok {
		return
	}
	defer p.forget(client)
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
		if err != nil || p.swallows() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
