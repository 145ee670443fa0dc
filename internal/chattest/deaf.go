package chattest

import (
	"net"
	"testing"
)

// A DeafServer takes connections and never says a word.
type DeafServer struct {
	URL      string
	Accepted chan struct{} // holds one for the first connection
}

// Deaf runs one until the test ends.
func Deaf(t testing.TB) DeafServer {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("chattest: %v", err)
	}
	d := DeafServer{URL: "nats://" + ln.Addr().String(), Accepted: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			select {
			case d.Accepted <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return d
}
