package console

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPI checks the document as a client gets it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	got := h.do("GET", openAPIPath, "", "")
	if got.status != 200 || got.header.Get("Content-Type") != jsonType {
		t.Fatalf("got %d of the type %q, want 200 of JSON", got.status, got.header.Get("Content-Type"))
	}
	var doc document
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("got version %q and info %+v, want 3.1 with a title and a version", doc.OpenAPI, doc.Info)
	}
	if s := doc.Components.SecuritySchemes["bearer"]; s.Type != "http" || s.Scheme != "bearer" {
		t.Errorf("got the security scheme %+v, want http bearer", s)
	}
	e := doc.Components.Schemas["Failure"]
	for _, field := range []string{"code", "message", "fields"} {
		if e.Properties[field] == nil {
			t.Errorf("the schema of errors lacks %s: %+v", field, e)
		}
	}
	if slices.Sort(e.Required); !slices.Equal(e.Required, []string{"code", "message"}) {
		t.Errorf("got %v required in errors, want code and message", e.Required)
	}
	if strings.Contains(got.body, "$schema") || strings.Contains(got.body, "ErrorModel") {
		t.Error("got $schema or huma's own error, want neither")
	}
	seen := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			if seen[op.OperationID] {
				t.Errorf("got the operation id %q twice, want each once", op.OperationID)
			}
			seen[op.OperationID] = true
			op.check(t, method, path)
		}
	}
	for id := range matrix {
		if !seen[id] {
			t.Errorf("the route %s is not documented", id)
		}
	}
	checkRefs(t, got.body)
}

type document struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]documented
	Components struct {
		SecuritySchemes map[string]struct{ Type, Scheme string }
		Schemas         map[string]struct {
			Properties map[string]any
			Required   []string
		}
	}
}

type documented struct {
	OperationID, Summary string
	Tags                 []string
	Security             []map[string][]string
	Parameters           []struct {
		Name, In string
		Required bool
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema map[string]any }
	}
}

func (op documented) check(t *testing.T, method, path string) {
	t.Helper()
	if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
		t.Errorf("%s %s: got id %q, summary %q, tags %v, want all", method, path, op.OperationID, op.Summary, op.Tags)
	}
	if len(op.Security) != 2 || op.Security[0]["bearer"] == nil || op.Security[1]["session"] == nil {
		t.Errorf("%s %s: got the security %v, want bearer or session", method, path, op.Security)
	}
	params := map[string]bool{}
	for _, p := range op.Parameters {
		params[p.In+":"+p.Name] = true
		if inPath := p.In == "path"; inPath != strings.Contains(path, "{"+p.Name+"}") || inPath && !p.Required {
			t.Errorf("%s %s: got the parameter %+v, want those of the path, required", method, path, p)
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && !params["path:"+strings.TrimSuffix(name, "}")] {
			t.Errorf("%s %s: the parameter %s is not documented", method, path, part)
		}
	}
	if params["header:"+idempotencyHeader] != (method != "get") {
		t.Errorf("%s %s: got %s documented %v, want it at writes alone", method, path, idempotencyHeader, method == "get")
	}
	op.checkResponses(t, method, path)
}

func (op documented) checkResponses(t *testing.T, method, path string) {
	t.Helper()
	good := 0
	for status, r := range op.Responses {
		if r.Description == "" {
			t.Errorf("%s %s: the response %s lacks a description", method, path, status)
		}
		if status[0] == '2' {
			good++
			for kind, c := range r.Content {
				if c.Schema == nil {
					t.Errorf("%s %s: the response %s of %s lacks a schema", method, path, status, kind)
				}
			}
			if status != "204" && len(r.Content) != 1 {
				t.Errorf("%s %s: got %d contents of the response %s, want 1", method, path, len(r.Content), status)
			}
			continue
		}
		if ref := r.Content[jsonType].Schema["$ref"]; ref != "#/components/schemas/Failure" {
			t.Errorf("%s %s: got the schema %v of %s, want that of errors", method, path, ref, status)
		}
	}
	if status := matrix[op.OperationID].status; good == 0 || op.Responses[itoa(status)].Description == "" {
		t.Errorf("%s %s: got the responses %v, want %d among them", method, path, op.Responses, status)
	}
	for _, status := range []string{"401", "403", "404", "422", "500", "503"} {
		if op.Responses[status].Description == "" {
			t.Errorf("%s %s: the error %s is not documented", method, path, status)
		}
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// checkRefs looks for references that lead nowhere.
func checkRefs(t *testing.T, body string) {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	refs := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for k, x := range v {
				if ref, ok := x.(string); ok && k == "$ref" {
					refs++
					at := doc
					for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
						m, _ := at.(map[string]any)
						at = m[part]
					}
					if at == nil {
						t.Errorf("the reference %s leads nowhere", ref)
					}
				}
				walk(x)
			}
		}
	}
	walk(doc)
	if refs == 0 {
		t.Error("got no references, want some")
	}
}
