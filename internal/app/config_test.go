package app

import (
	"strings"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ public, address, want string }{
		{"", "ws://127.0.0.1:8443", "ws://127.0.0.1:8443"},
		{"https://chat.example.com", "wss://0.0.0.0:8443", "wss://chat.example.com:8443"},
		{"https://chat.example.com:444/", "nats://127.0.0.1:4222", "nats://chat.example.com:4222"},
		{"https://[2001:db8::1]", "ws://[::]:8443", "ws://[2001:db8::1]:8443"},
	} {
		if got := (Config{PublicURL: c.public}).reached(c.address); got != c.want {
			t.Errorf("%s behind %q: got %s, want %s", c.address, c.public, got, c.want)
		}
	}
	good := Config{Data: "x", HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", WS: "127.0.0.1:0", Metrics: "127.0.0.1:0", SignUp: "open"}
	good.PublicNATS, good.PublicWS = "tls://chat.example.com:4222", "wss://chat.example.com/ws"
	if err := good.check(); err != nil {
		t.Errorf("got %v, want no fault", err)
	}
	for _, ws := range []string{"https://chat.example.com", "wss://", "chat.example.com", "wss://a:b@chat.example.com"} {
		bad := good
		bad.PublicWS = ws
		if err := bad.check(); err == nil || !strings.Contains(err.Error(), "--public-ws") {
			t.Errorf("%s: got %v, want a fault of --public-ws", ws, err)
		}
	}
}
