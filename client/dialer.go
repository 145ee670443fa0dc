package client

import (
	"context"
	"net"
)

// A lifeDialer dials within the life of a client: nats.go holds its lock while it
// dials and shakes hands, so that without this a Close would wait out the timeout
// of a server that doesn't answer.
type lifeDialer struct{ life context.Context }

// Dial implements nats.CustomDialer.
func (d lifeDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(d.life, network, address)
	if err != nil {
		return nil, err
	}
	return &lifeConn{Conn: conn, untie: context.AfterFunc(d.life, func() { _ = conn.Close() })}, nil
}

type lifeConn struct {
	net.Conn
	untie func() bool
}

func (c *lifeConn) Close() error {
	c.untie()
	return c.Conn.Close()
}
