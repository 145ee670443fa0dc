package tenant

import (
	"errors"
	"fmt"
)

// Code is the machine-readable half of an error that a caller may see.
type Code string

// The codes of the HTTP and chat API.
const (
	CodeInvalid      Code = "invalid"
	CodeUnauthorized Code = "unauthorized"
	CodeForbidden    Code = "forbidden"
	CodeNotFound     Code = "not_found"
	CodeConflict     Code = "conflict"
	CodeTooLarge     Code = "too_large"
	CodeRateLimited  Code = "rate_limited"
	CodeLimitReached Code = "limit_reached"
	CodeUnavailable  Code = "unavailable"
	CodeInternal     Code = "internal"
)

// An Error is one that its caller may read. All other errors are shown as "internal".
type Error struct {
	Code    Code
	Message string
	Fields  map[string]string // by the path of the field in the body, as limits.users
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Is matches errors of the same code, so that errors.Is(err, ErrNotFound) holds for each of them.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// ErrNotFound and ErrUnavailable are what stores return; they match every error of their code.
var (
	ErrNotFound    = &Error{Code: CodeNotFound}
	ErrUnavailable = &Error{Code: CodeUnavailable}
	ErrConflict    = &Error{Code: CodeConflict}
)

// Errorf makes an error of a code with a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid is the error of one field of a body.
func Invalid(field, why string) *Error {
	return &Error{Code: CodeInvalid, Message: field + ": " + why, Fields: map[string]string{field: why}}
}

// LimitReached is the error of a limit, of which the field of the body asks for one more.
func LimitReached(field, format string, args ...any) *Error {
	e := Errorf(CodeLimitReached, format, args...)
	e.Fields = map[string]string{field: e.Message}
	return e
}

// NotFound says that a thing does not exist, or is none of the caller's business.
func NotFound(what string) *Error { return Errorf(CodeNotFound, "no such %s", what) }

// AsError finds the error that a caller may read, if there is one.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// faults gathers what is wrong with a body, so that all of it is said at once.
type faults map[string]string

func (f faults) add(err error) {
	if e, ok := AsError(err); ok {
		for k, v := range e.Fields {
			f[k] = v
		}
	}
}

func (f faults) check(ok bool, field, why string) {
	if !ok {
		f[field] = why
	}
}

func (f faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		for k, v := range f {
			return Invalid(k, v)
		}
	}
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("%d fields are not valid", len(f)), Fields: f}
}
