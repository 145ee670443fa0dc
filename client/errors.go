package client

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"parley/tenant"
)

// An Error is the answer to something that the user may not do or that can't be
// done now: from the chat service, the stream or the server.
type Error struct {
	Code    tenant.Code       // as "forbidden", "not_found", "too_large", "unavailable"
	Message string            // a sentence for people
	Fields  map[string]string // what is wrong with each field of a request, where Code is "invalid"
	cause   error
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap is what the connection or the server said, if anything.
func (e *Error) Unwrap() error { return e.cause }

// A RevokedError says that the user was revoked. The client has stopped for good.
type RevokedError struct {
	Reason string // may be empty
}

func (e *RevokedError) Error() string {
	if e.Reason == "" {
		return "you were revoked"
	}
	return "you were revoked: " + e.Reason
}

var (
	// ErrRefused is what Connect returns, and Status carries, where the servers don't
	// admit the user. They give no reason to a client; the tenant's admins can see it.
	ErrRefused = errors.New("the server refused this user (authorization violation)")
	// ErrClosed is what all methods return after Close.
	ErrClosed = errors.New("the client is closed")
)

func newError(code tenant.Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause}
}

// isFinal reports whether asking the same again would be answered the same.
func isFinal(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case tenant.CodeUnavailable, tenant.CodeInternal, tenant.CodeRateLimited:
		return false
	}
	return true
}

func isCode(err error, code tenant.Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// isRefusal reports whether err is the server's no to a connection.
func isRefusal(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAccountAuthExpired)
}
