package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

func (w *web) showRefusals(q *request) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(r tenant.Refusal) string { return r.Cursor },
		func(ctx ctx, p tenant.Page) ([]tenant.Refusal, error) {
			return w.c.service.Refusals(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Refusals{Page: ui.Page{Title: "Refusals", Area: "refusals"}, Base: q.base(), Search: l.search("User, address or code"), Pager: pager}
	for _, r := range items {
		v.Rows = append(v.Rows, ui.RefusalRow{At: r.At, User: r.User, Method: string(r.Method), Address: r.Address, Code: r.Code, Reason: sentence(r.Reason)})
	}
	return v, nil
}

func auditRows(items []tenant.AuditEntry) []ui.AuditRow {
	var out []ui.AuditRow
	for _, e := range items {
		out = append(out, ui.AuditRow{At: e.At, Actor: e.Actor, Action: e.Action, Object: e.Object, Before: pretty(e.Before), After: pretty(e.After)})
	}
	return out
}

func pretty(j json.RawMessage) string {
	var b bytes.Buffer
	if len(j) == 0 || json.Indent(&b, j, "", "  ") != nil {
		return string(j)
	}
	return b.String()
}

func (w *web) showAudit(q *request) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(e tenant.AuditEntry) string { return e.Cursor },
		func(ctx ctx, p tenant.Page) ([]tenant.AuditEntry, error) {
			return w.c.service.AuditTrail(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	asCSV, asLines := l, l
	asCSV.path, asLines.path = l.path+".csv", l.path+".ndjson"
	return &ui.Audit{
		Page: ui.Page{Title: "Audit", Area: "audit"}, Lead: "Who changed what, the newest first. Nobody can change or remove an entry.",
		Search: l.search("Who, what or on what"), Rows: auditRows(items), Pager: pager, CSV: asCSV.link(""), Lines: asLines.link(""),
	}, nil
}

// maxExport is how many entries one export has: the newest.
const maxExport = 50_000

// trail reads the trail, as it is searched, page by page, so that an export takes no more memory than one.
func (w *web) trail(q *request, ctx context.Context, each func([]tenant.AuditEntry) error) error {
	page := tenant.Page{Query: q.URL.Query().Get("q"), Limit: 1000}
	for n := 0; n < maxExport; n += page.Limit {
		items, err := w.c.service.AuditTrail(ctx, q.actor(), q.tenant, page)
		if err == nil {
			err = each(items)
		}
		if err != nil || len(items) < page.Limit {
			return err
		}
		page.After = items[len(items)-1].Cursor
	}
	return nil
}

// exportAudit writes the trail as JSON lines.
func (w *web) exportAudit(q *request, out http.ResponseWriter) error {
	return q.sendLines(out, "audit", func(ctx context.Context, line func(any) error) error {
		return w.trail(q, ctx, func(items []tenant.AuditEntry) error {
			for _, e := range items {
				if err := line(e); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// exportAuditCSV writes the trail for spreadsheets.
func (w *web) exportAuditCSV(q *request, out http.ResponseWriter) error {
	var file *csv.Writer
	err := w.trail(q, q.Context(), func(items []tenant.AuditEntry) error {
		if file == nil {
			out.Header().Set("Content-Type", "text/csv; charset=utf-8")
			out.Header().Set("Content-Disposition", `attachment; filename="`+string(q.tenant)+`-audit.csv"`)
			file = csv.NewWriter(out)
			_ = file.Write([]string{"time", "actor", "action", "object", "before", "after"}) // Error below says what failed
		}
		for _, e := range items {
			_ = file.Write(cells(e.At.UTC().Format(time.RFC3339Nano), e.Actor, e.Action, e.Object, string(e.Before), string(e.After)))
		}
		file.Flush()
		return file.Error()
	})
	if err != nil && file != nil {
		q.call.err = err
		panic(http.ErrAbortHandler) // a short file must not look whole
	}
	return err
}

// cells keeps spreadsheets from taking text for a formula, and text from making lines of its own.
func cells(texts ...string) []string {
	for i, s := range texts {
		if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
			s = "'" + s
		}
		texts[i] = tenant.Visible(s)
	}
	return texts
}
