package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley/tenant"
)

const (
	jsonType  = "application/json"
	maxDepth  = 16     // of nested objects and arrays
	maxTokens = 20_000 // names and values of a body
	maxName   = 100    // bytes of a name
)

// jsonFormat reads strictly and writes as encoding/json does, without escaping <, > and &.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: writeJSON,
		Unmarshal: func(data []byte, v any) error {
			return jsonv2.Unmarshal(data, v, jsonv2.RejectUnknownMembers(true))
		},
	}
}

// writeJSON fails where v is not JSON, and not where the client is gone.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes())
	return nil
}

// strict refuses queries and bodies that two readers could understand differently, or that
// cost more to look at than they are worth, before huma compares them with the schema.
func (c *console) strict(ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	if err := checkQuery(r.URL.RawQuery); err != nil {
		fail(ctx, err)
		return
	}
	if isWrite(ctx) && !traitsOf(ctx).lines {
		call := callOf(ctx.Context())
		if err := checkBody(r.Header, call.body, ctx.Operation().RequestBody != nil); err != nil {
			fail(ctx, err)
			return
		}
		r.Header.Set("Content-Type", jsonType) // huma compares letter by letter
	}
	next(ctx)
}

func checkQuery(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return tenant.Errorf(tenant.CodeInvalid, "the query is not percent-encoded as it should be")
	}
	for name, vs := range values {
		switch {
		case len(name) > maxName || !plain(name):
			return tenant.Errorf(tenant.CodeInvalid, "the query has a name that no parameter has")
		case len(vs) > 1:
			return tenant.Invalid(name, "must be given once")
		case !plain(vs[0]):
			return tenant.Invalid(name, "must be UTF-8 without NUL")
		}
	}
	return nil
}

// plain reports whether Postgres can keep s as text.
func plain(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// checkBody refuses another content type than JSON, a body where none is taken, and JSON
// that isn't strict. A body without a content type counts as JSON.
func checkBody(h http.Header, body []byte, taken bool) error {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return nil // where a body is needed, huma says so
	}
	if !taken {
		if string(trimmed) == "{}" {
			return nil
		}
		return tenant.Errorf(tenant.CodeInvalid, "this call takes no body")
	}
	if ct := h.Get("Content-Type"); ct != "" {
		kind, params, err := mime.ParseMediaType(ct)
		charset, ok := params["charset"]
		if err != nil || kind != jsonType || ok && !strings.EqualFold(charset, "utf-8") {
			return tenant.Invalid("Content-Type", "must be "+jsonType)
		}
	}
	if h.Get("Content-Encoding") != "" { // a small body may unpack to a huge one
		return tenant.Invalid("Content-Encoding", "must not be set; send the body as it is")
	}
	return checkJSON(body)
}

// checkJSON refuses what the decoder would take but should not meet. It reads the body once,
// token by token, without building anything, and names the field of what it refuses.
func checkJSON(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	for n := 0; ; n++ {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) && n > 0 && d.StackDepth() == 0 {
			return nil
		}
		if err != nil {
			return syntaxError(d, err)
		}
		if why := checkToken(d, t, n); why != "" {
			return tenant.Invalid(bodyPath(d.StackPointer()), why)
		}
		if d.StackDepth() == 0 { // of the value's end
			return checkRest(body[d.InputOffset():])
		}
	}
}

func checkToken(d *jsontext.Decoder, t jsontext.Token, n int) string {
	if d.StackDepth() > maxDepth {
		return "is nested too deeply"
	}
	if n > maxTokens {
		return "has too many values"
	}
	switch t.Kind() {
	case '"':
		s := t.String()
		if strings.Contains(s, "\x00") {
			return "must not contain NUL"
		}
		if kind, at := d.StackIndex(d.StackDepth()); kind == '{' && at%2 == 1 && len(s) > maxName {
			return "has a name that no field has"
		}
	case '0':
		// What a float would round is refused instead: there are only whole numbers in bodies.
		if _, err := strconv.ParseInt(t.String(), 10, 64); err != nil {
			return "must be a whole number of 64 bits"
		}
	}
	return ""
}

func checkRest(rest []byte) error {
	if len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return tenant.Invalid("body", "has text behind the JSON")
	}
	return nil
}

func syntaxError(d *jsontext.Decoder, err error) error {
	at := d.StackPointer()
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = syntax.JSONPointer
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return tenant.Invalid(bodyPath(at), "is given twice")
	}
	return tenant.Invalid(bodyPath(at), "is not JSON in UTF-8")
}

// bodyPath is the path of a field as errors name it: limits.users.
func bodyPath(p jsontext.Pointer) string {
	var parts []string
	for part := range p.Tokens() {
		if len(part) > maxName {
			break
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "body"
	}
	if len(parts) > maxDepth {
		parts = parts[:maxDepth]
	}
	return strings.Join(parts, ".")
}
