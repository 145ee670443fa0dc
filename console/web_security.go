package console

import (
	"bytes"
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
	export := l
	export.path += ".csv"
	return &ui.Audit{
		Page: ui.Page{Title: "Audit", Area: "audit"}, Lead: "Who changed what, the newest first. Nobody can change or remove an entry.",
		Search: l.search("Who, what or on what"), Rows: auditRows(items), Pager: pager, Export: export.link(""),
	}, nil
}

// maxExport is how many entries one export has: the newest.
const maxExport = 50_000

// exportAudit writes the trail, as it is searched, as CSV. It goes out page by page, so that it takes
// no more memory than one.
func (w *web) exportAudit(q *request, out http.ResponseWriter) error {
	page := tenant.Page{Query: q.URL.Query().Get("q"), Limit: 1000}
	items, err := w.c.service.AuditTrail(q.Context(), q.actor(), q.tenant, page)
	if err != nil {
		return err
	}
	out.Header().Set("Content-Type", "text/csv; charset=utf-8")
	out.Header().Set("Content-Disposition", `attachment; filename="audit-`+string(q.tenant)+`.csv"`)
	file := csv.NewWriter(out)
	_ = file.Write([]string{"time", "actor", "action", "object", "before", "after"}) // Flush and Error below say what failed
	for n := 0; len(items) > 0 && n < maxExport; n += len(items) {
		for _, e := range items {
			_ = file.Write(cells(e.At.UTC().Format(time.RFC3339Nano), e.Actor, e.Action, e.Object, string(e.Before), string(e.After)))
		}
		file.Flush()
		if file.Error() != nil {
			return nil // the browser is gone
		}
		page.After = items[len(items)-1].Cursor
		if items, err = w.c.service.AuditTrail(q.Context(), q.actor(), q.tenant, page); err != nil {
			q.call.err = err
			panic(http.ErrAbortHandler) // a short file must not look whole
		}
	}
	return nil
}

// cells keeps spreadsheets from taking text for a formula.
func cells(texts ...string) []string {
	for i, s := range texts {
		if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
			texts[i] = "'" + s
		}
	}
	return texts
}
