package pgstore

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley/tenant"
)

// A fault is an error of the driver on its way out. It keeps the driver's text for logs, but
// unwraps to what callers may tell apart and show. The driver's text names no values: those
// of a row stand in the details of a server's error, which are left behind.
type fault struct {
	op    string
	cause string
	shown error // a *tenant.Error, a context's error or nil
	again bool  // the transaction may be run again
}

func (f *fault) Error() string { return f.op + ": " + f.cause }
func (f *fault) Unwrap() error { return f.shown }

// wrap ends a driver error: verb and what it was done to, as "read", "user", "acme", "alice".
func wrap(err error, verb, what string, key ...string) error {
	if err == nil {
		return nil
	}
	f := &fault{op: verb + " " + what + " " + strings.Join(key, "/"), cause: err.Error()}
	var server *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		f.shown = tenant.NotFound(what)
	case errors.Is(err, context.Canceled):
		f.shown = context.Canceled
	case errors.As(err, &server):
		f.shown, f.again = fromServer(server)
	case away(err):
		f.shown = unavailable()
	}
	return f
}

func unavailable() error {
	return tenant.Errorf(tenant.CodeUnavailable, "the records can't be reached right now; try again shortly")
}

// away tells errors of the connection from those of the program, as a column that does not scan.
func away(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// SQLSTATEs, from appendix A of Postgres's documentation.
const (
	stateForeignKey    = "23503"
	stateUnique        = "23505"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
	stateBadBytes      = "22021" // as a NUL, which no text column holds
	stateBadEscape     = "22P05" // the same in JSON
	stateReadOnly      = "25006" // a standby answers
	stateLockTimeout   = "55P03"
)

// fromServer says what callers may know of a server's error, and whether to run the transaction again.
func fromServer(e *pgconn.PgError) (shown error, again bool) {
	switch e.Code {
	case stateUnique:
		return conflict(e.ConstraintName), false
	case stateForeignKey:
		return tenant.NotFound(referenced(e.ConstraintName)), false
	case stateSerialization, stateDeadlock:
		return unavailable(), true
	case stateBadBytes, stateBadEscape:
		return tenant.Errorf(tenant.CodeInvalid, "a text holds characters that can't be kept"), false
	case stateReadOnly, stateLockTimeout:
		return unavailable(), false
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "08", "53", "57", "58": // connection, resources (disk, connections), operator (shutdown, timeout), system
		return unavailable(), false
	}
	return nil, false
}

// taken are the fields of a unique constraint, with what is said of a value that somebody has.
func taken(constraint string) (field, why string) {
	switch constraint {
	case "tenants_pkey":
		return "id", "a tenant of this id exists"
	case "rooms_tenant_id_room_id_key":
		return "id", "a room of this id exists, or existed"
	case "users_external_id":
		return "external_id", "another user of the tenant has it"
	case "people_email_key":
		return "email", "somebody has signed up with it; log in instead"
	case "keys_oidc_once":
		return "issuer", "a key of this issuer and client exists; each lets users into one tenant"
	case "keys_nats_scoped_once":
		return "public_key", "it is a tenant's key, or was one; make a new one"
	case "keys_tls_ca_once":
		return "certificate", "a tenant has this CA's key"
	case "passkeys_credential_key":
		return "passkey", "it is registered already"
	case "users_nkey", "credentials_pkey":
		return "nkey", "it is registered already"
	}
	return "", ""
}

func conflict(constraint string) error {
	field, why := taken(constraint)
	if field == "" {
		return tenant.Errorf(tenant.CodeConflict, "it exists already")
	}
	return &tenant.Error{Code: tenant.CodeConflict, Message: field + ": " + why, Fields: map[string]string{field: why}}
}

func referenced(constraint string) string {
	switch constraint {
	case "members_tenant_id_user_id_fkey", "credentials_tenant_id_user_id_fkey":
		return "user"
	}
	return "tenant"
}
