package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"parley/tenant"
)

// Options say where to connect and as whom. URL, User and exactly one of Token,
// CredsFile, NKeyFile, Password and a client certificate in TLS are required.
type Options struct {
	// URL of one or more servers, divided by commas: nats://, tls://, ws:// or wss://.
	URL  string
	User string // id of the user

	// Token returns a JSON Web Token for the user. It is called before the first
	// connection and whenever the last one it gave is used up, one call at a time.
	Token func(ctx context.Context) (string, error)
	// CredsFile is the path of a .creds file, read again at each connection.
	CredsFile string
	// NKeyFile is the path of the seed of the user's registered nkey, read again likewise.
	NKeyFile string
	// Tenant and Password go together.
	Tenant, Password string

	// Rooms is the working set: the ids of the rooms that this connection lists one by
	// one, at most 50; nil leaves it to the server, which takes the latest active. The
	// client adds what it listens to and may not otherwise.
	Rooms []string

	// TLS holds whom to trust, and the client certificate where that is the method. nil: the
	// system's CAs, and none.
	TLS *tls.Config

	Name   string       // of the program, for the servers' lists of connections
	Logger *slog.Logger // nil: nothing is logged
}

// StaticToken is a Token that never changes: the client is refused when it has run out.
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// check reports all faults at once.
func (o Options) check() error {
	var faults []error
	fault := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(o.URL != "", "URL is required")
	for u := range strings.SplitSeq(o.URL, ",") {
		parsed, err := url.Parse(strings.TrimSpace(u))
		fault(err == nil, "URL can't be parsed")
		// nats.go would send these in the place of what the other options say.
		fault(err != nil || parsed.User == nil, "URL must carry no credentials: use Token, CredsFile or Password")
	}
	fault(tenant.ValidID(o.User) || signed(o.User) && o.CredsFile != "", "User must be the id of a user, or the nkey of one whom SignUser made, with CredsFile; got %q", o.User)
	fault(o.methods() == 1, "exactly one of Token, CredsFile, NKeyFile, Password and a certificate in TLS is required")
	fault((o.Password == "") == (o.Tenant == ""), "Tenant and Password go together")
	fault(len(o.Rooms) <= tenant.MaxListedRooms, "Rooms names %d rooms, at most %d are allowed", len(o.Rooms), tenant.MaxListedRooms)
	for _, r := range o.Rooms {
		_, err := tenant.ParseRoomID("room", r)
		fault(err == nil, "Rooms holds %q, which is no id of a room", r)
	}
	if err := errors.Join(faults...); err != nil {
		return newError(tenant.CodeInvalid, err, "%v", err)
	}
	return nil
}

func (o Options) methods() int {
	n := 0
	for _, given := range []bool{o.Token != nil, o.CredsFile != "", o.NKeyFile != "", o.Password != "", o.hasCertificate()} {
		if given {
			n++
		}
	}
	return n
}

func (o Options) hasCertificate() bool {
	return o.TLS != nil && (len(o.TLS.Certificates) > 0 || o.TLS.GetClientCertificate != nil)
}

func (o Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}
