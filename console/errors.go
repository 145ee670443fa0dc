package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"parley/tenant"
)

// maxFields is how many fields one error names: a hostile body can have thousands of wrong ones.
const maxFields = 20

// retryAfter is when to come back, in seconds: what makes the API unavailable or busy is over soon or not at all.
const retryAfter = "1"

// failure is the form of every error of the API.
type failure struct {
	status  int
	Code    tenant.Code       `json:"code" enum:"invalid,unauthorized,forbidden,not_found,conflict,too_large,rate_limited,limit_reached,unavailable,internal" doc:"For programs"`
	Message string            `json:"message" doc:"For people: what is wrong, and what to do"`
	Fields  map[string]string `json:"fields,omitempty" doc:"What is wrong with each field, by its path, as limits.users"`
}

// Error and GetStatus make it an error that huma writes as it is.
func (f *failure) Error() string  { return string(f.Code) + ": " + f.Message }
func (f *failure) GetStatus() int { return f.status }

// Huma has one hook for the form of errors, for all APIs of the process. It is set
// before any can be made, since it may not change while requests run.
func init() {
	huma.ValidateStrictCasing = true // JSON names are case-sensitive
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return newFailure("", status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return failed(ctx, status, msg, errs)
	}
}

// failed notes a failure for the log and sets its headers. Of what the caller did wrong only the
// code is noted, since huma's errors hold the values, passwords among them.
func failed(ctx huma.Context, status int, msg string, errs []error) *failure {
	call := callOf(ctx.Context())
	f := newFailure(call.id, status, msg, errs)
	call.code = f.Code
	if f.status >= http.StatusInternalServerError {
		call.err = errors.Join(errs...)
	}
	for name, value := range f.headers() {
		ctx.SetHeader(name, value)
	}
	return f
}

// newFailure turns what a handler, the middleware or huma found wrong into the API's form.
// Of huma's own codes only 413 stays: its others for bodies (400, 415) are all "invalid".
func newFailure(requestID string, status int, msg string, errs []error) *failure {
	if e, ok := tenant.AsError(errors.Join(errs...)); ok {
		return domainFailure(e)
	}
	for _, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return domainFailure(tenant.ErrUnavailable)
		}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return domainFailure(tooLarge())
	case status >= http.StatusInternalServerError:
		return &failure{
			status: http.StatusInternalServerError, Code: tenant.CodeInternal,
			Message: "internal error; the server's log has it under the request id " + requestID,
		}
	}
	return domainFailure(invalid(msg, errs))
}

func domainFailure(e *tenant.Error) *failure {
	f := &failure{status: statusOf(e.Code), Code: e.Code, Message: e.Message, Fields: e.Fields}
	if f.Message == "" {
		f.Message = defaultMessage(e.Code)
	}
	return f
}

func statusOf(code tenant.Code) int {
	switch code {
	case tenant.CodeInvalid:
		return http.StatusUnprocessableEntity
	case tenant.CodeUnauthorized:
		return http.StatusUnauthorized
	case tenant.CodeForbidden, tenant.CodeLimitReached:
		return http.StatusForbidden
	case tenant.CodeNotFound:
		return http.StatusNotFound
	case tenant.CodeConflict:
		return http.StatusConflict
	case tenant.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case tenant.CodeRateLimited:
		return http.StatusTooManyRequests
	case tenant.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// defaultMessage is for the errors of stores, which have a code alone.
func defaultMessage(code tenant.Code) string {
	switch code {
	case tenant.CodeNotFound:
		return "no such thing"
	case tenant.CodeConflict:
		return "something with this id or name exists already"
	case tenant.CodeUnavailable:
		return "a part of the service does not answer; try again"
	}
	return strings.ReplaceAll(string(code), "_", " ")
}

// headers that go with the status.
func (f *failure) headers() map[string]string {
	switch f.status {
	case http.StatusUnauthorized:
		return map[string]string{"WWW-Authenticate": "Bearer"}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return map[string]string{"Retry-After": retryAfter}
	}
	return nil
}

// invalid gathers huma's findings by the paths of their fields. The values that huma
// adds to them stay out: a password is one of them.
func invalid(msg string, errs []error) *tenant.Error {
	fields := map[string]string{}
	for _, err := range errs {
		var d *huma.ErrorDetail
		if !errors.As(err, &d) || len(fields) == maxFields {
			continue
		}
		path, why := fieldPath(d.Location), d.Message
		var missing string
		// Huma blames the object around a missing field; callers look for the field.
		if n, _ := fmt.Sscanf(why, validation.MsgExpectedRequiredProperty, &missing); n == 1 {
			path, why = strings.TrimPrefix(path+"."+missing, "body."), "is required"
		}
		fields[path] = why
	}
	switch len(fields) {
	case 0:
		return tenant.Errorf(tenant.CodeInvalid, "%s", msg)
	case 1:
		for path, why := range fields {
			return tenant.Invalid(path, why)
		}
	}
	return &tenant.Error{Code: tenant.CodeInvalid, Message: fmt.Sprintf("%d fields are not valid", len(fields)), Fields: fields}
}

// fieldPath is a path as callers know it: limits.users, where huma says body.limits.users.
func fieldPath(location string) string {
	for _, part := range []string{"body.", "query.", "path.", "header."} {
		if rest, ok := strings.CutPrefix(location, part); ok {
			return rest
		}
	}
	return location
}

// fail answers with an error, which ends the request.
func fail(ctx huma.Context, err error) {
	f := failed(ctx, http.StatusInternalServerError, "", []error{err})
	ctx.SetHeader("Content-Type", jsonType)
	ctx.SetStatus(f.status)
	_ = writeJSON(ctx.BodyWriter(), f) // a failure has nothing that JSON lacks
}

// writeFailure is for what happens before or behind huma: unknown routes and panics.
func writeFailure(w http.ResponseWriter, f *failure) {
	for name, value := range f.headers() {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(f.status)
	_ = writeJSON(w, f) // a failure has nothing that JSON lacks
}

func marshalFailure(e *tenant.Error) (status int, body []byte, err error) {
	f := domainFailure(e)
	body, err = json.Marshal(f)
	return f.status, body, err
}
