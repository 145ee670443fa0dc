package console

import (
	"context"

	"parley/tenant"
)

type auditPage struct {
	Body struct {
		Audit []tenant.AuditEntry `json:"audit" nullable:"false"`
		rest
	} `nameHint:"AuditPage"`
}

func (c *console) listAudit(ctx context.Context, in *trailQuery) (*auditPage, error) {
	call, out := callOf(ctx), &auditPage{}
	var err error
	out.Body.Audit, out.Body.rest, err = list(ctx, in.page(), func(e tenant.AuditEntry) string { return e.Cursor },
		func(ctx context.Context, p tenant.Page) ([]tenant.AuditEntry, error) {
			return c.service.AuditTrail(ctx, call.actor, call.tenant, p)
		})
	return out, err
}

type refusalPage struct {
	Body struct {
		Refusals []tenant.Refusal `json:"refusals" nullable:"false"`
		rest
	} `nameHint:"RefusalPage"`
}

func (c *console) listRefusals(ctx context.Context, in *trailQuery) (*refusalPage, error) {
	call, out := callOf(ctx), &refusalPage{}
	var err error
	out.Body.Refusals, out.Body.rest, err = list(ctx, in.page(), func(r tenant.Refusal) string { return r.Cursor },
		func(ctx context.Context, p tenant.Page) ([]tenant.Refusal, error) {
			return c.service.Refusals(ctx, call.actor, call.tenant, p)
		})
	return out, err
}
