package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"parley/tenant"
)

// connzPage is how many connections a server lists in one answer.
const connzPage = 1024

// listTimeout bounds a list of the names of a whole account: the servers check the JWT of each
// connection that has one before they show it, which takes them a millisecond.
const listTimeout = 10 * time.Second

// connzRequest asks for the connections of an account. The servers filter by the name that
// the callout's answer gave, which is the user's id, whether or not Auth asks them to show it.
type connzRequest struct {
	Account string        `json:"acc"`
	User    tenant.UserID `json:"user,omitempty"`
	Auth    bool          `json:"auth"`
	Offset  int           `json:"offset"`
	Limit   int           `json:"limit"`
}

type connzAnswer struct {
	serverOf
	Data struct {
		Connections []conn `json:"connections"`
	} `json:"data"`
}

// conn is one connection as a server lists it.
type conn struct {
	Server string    `json:"-"`
	CID    uint64    `json:"cid"`
	IP     string    `json:"ip"`
	Port   int       `json:"port"`
	Start  time.Time `json:"start"`
	// Account is told only with Auth.
	Account string        `json:"account"`
	User    tenant.UserID `json:"authorized_user"`
}

func (c conn) address() string { return net.JoinHostPort(c.IP, strconv.Itoa(c.Port)) }

// find lists the connections of a user, or of the whole account where u is empty, on all
// nodes, without their names. What it found is returned beside the error that says that not
// every node answered.
func (a *Accounts) find(ctx context.Context, account string, u tenant.UserID) ([]conn, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return a.list(ctx, connzRequest{Account: account, User: u, Limit: connzPage})
}

// findNamed is find with the names.
func (a *Accounts) findNamed(ctx context.Context, account string, u tenant.UserID) ([]conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return a.list(ctx, connzRequest{Account: account, User: u, Auth: true, Limit: connzPage})
}

func (a *Accounts) list(ctx context.Context, request connzRequest) ([]conn, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var all []conn
	var more []string
	err = a.everyNode(ctx, pingConnz, body, func(server string, answer []byte) error {
		found, err := decodeConnz(server, answer)
		all = append(all, found...)
		if len(found) == connzPage {
			more = append(more, server)
		}
		return err
	})
	for _, server := range more {
		found, errMore := a.findMore(ctx, server, request)
		all = append(all, found...)
		if err == nil {
			err = errMore
		}
	}
	if err != nil {
		return all, fmt.Errorf("list connections of %s: %w", request.Account, err)
	}
	return all, nil
}

// findMore turns the pages of one server, after its first.
func (a *Accounts) findMore(ctx context.Context, server string, request connzRequest) ([]conn, error) {
	var all []conn
	for full := true; full; {
		request.Offset += connzPage
		body, err := json.Marshal(request)
		if err != nil {
			return all, err
		}
		answer, err := a.askOne(ctx, fmt.Sprintf(serverConnz, server), body)
		if err != nil {
			return all, err
		}
		found, err := decodeConnz(server, answer)
		if err != nil {
			return all, err
		}
		all = append(all, found...)
		full = len(found) == connzPage
	}
	return all, nil
}

func (a *Accounts) askOne(ctx context.Context, subject string, body []byte) ([]byte, error) {
	q := a.box.inquire(1)
	defer q.close()
	if err := q.ask(0, subject, body); err != nil {
		return nil, err
	}
	_, answer, err := q.answer(ctx)
	return answer, err
}

func decodeConnz(server string, answer []byte) ([]conn, error) {
	var c connzAnswer
	if err := json.Unmarshal(answer, &c); err != nil {
		return nil, err
	}
	for i := range c.Data.Connections {
		c.Data.Connections[i].Server = server
	}
	return c.Data.Connections, c.err()
}
