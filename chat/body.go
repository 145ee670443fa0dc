package chat

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley/tenant"
)

// A body is the JSON of a message (DESIGN.md section 3).
type body struct {
	Text        string              `json:"text,omitzero"`
	Thread      uint64              `json:"thread,omitzero"`
	Mentions    []string            `json:"mentions,omitzero"`
	Attachments []tenant.Attachment `json:"attachments,omitzero"`
	Data        jsontext.Value      `json:"data,omitzero"`
}

// bodyOf is the body of an edited message.
func bodyOf(text string, rest tenant.Unedited) body {
	return body{Text: text, Thread: rest.Thread, Mentions: rest.Mentions, Attachments: rest.Attachments, Data: jsontext.Value(rest.Data)}
}

// Bounds within a body.
const (
	maxMentions    = 100
	maxAttachments = 32
	maxNameLength  = 200
	maxURLLength   = 2048
	maxDataDepth   = 32
	maxSequence    = 1<<53 - 1 // what JavaScript can name
)

var errBody = errors.New("the body is not the JSON of a message")

// parseBody is strict: what it lets pass, Postgres takes and readers can show. Text and jsonb
// refuse NUL, jsonb numbers have a bound: one such message would stop its stream's projection.
func parseBody(data []byte) (body, error) {
	var b body
	if err := decodeStrict(data, &b); err != nil {
		return body{}, err
	}
	switch {
	case b.Text == "" && len(b.Attachments) == 0 && len(b.Data) == 0,
		strings.ContainsRune(b.Text, 0),
		b.Thread > maxSequence,
		len(b.Mentions) > maxMentions,
		len(b.Attachments) > maxAttachments:
		return body{}, errBody
	}
	for _, u := range b.Mentions {
		if !validMention(u) {
			return body{}, errBody
		}
	}
	for _, a := range b.Attachments {
		if !validAttachment(a) {
			return body{}, errBody
		}
	}
	if len(b.Data) > 0 && !validData(b.Data) {
		return body{}, errBody
	}
	return b, nil
}

// validData reports whether v is an object that jsonb takes.
func validData(v jsontext.Value) bool { return v.IsValid() && v.Kind() == '{' && storable(v) }

// validMention lets users pass, and in shared rooms those of other tenants.
func validMention(s string) bool {
	user, of, guest := strings.Cut(s, "@")
	return tenant.ValidID(user) && (!guest || tenant.ValidID(of))
}

// decodeStrict decodes one JSON object: no unknown or doubled keys, no bad UTF-8, nothing behind it.
func decodeStrict(data []byte, v any) error {
	if jsontext.Value(bytes.TrimLeft(data, " \t\r\n")).Kind() != '{' {
		return errBody
	}
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}

// validAttachment lets only web addresses pass: readers make links of them.
func validAttachment(a tenant.Attachment) bool {
	u, err := url.Parse(a.URL)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		len(a.URL) <= maxURLLength && len(a.Name) <= maxNameLength && len(a.Type) <= maxNameLength &&
		a.Size >= 0 && !strings.ContainsRune(a.URL+a.Name+a.Type, 0)
}

// storable reports whether jsonb takes a value.
func storable(v jsontext.Value) bool {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return err == io.EOF //nolint:errorlint // the decoder returns it bare
		}
		switch token.Kind() {
		case '"':
			if strings.ContainsRune(token.String(), 0) {
				return false
			}
		case '0':
			if !storableNumber(token.String()) {
				return false
			}
		case '{', '[':
			if d.StackDepth() > maxDataDepth {
				return false
			}
		}
	}
}

// storableNumber reports whether a float64 can hold about what a literal says.
func storableNumber(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || len(s) > 64 {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	return f != 0 || strings.Trim(mantissa, "-0.") == ""
}
