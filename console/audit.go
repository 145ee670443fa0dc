package console

import (
	"context"
	"time"

	"parley/tenant"
)

type auditPage struct {
	Body struct {
		Audit []tenant.AuditEntry `json:"audit" nullable:"false"`
		More  bool                `json:"more"`
		Next  string              `json:"next,omitempty" doc:"after of the next page"`
	} `nameHint:"AuditPage"`
}

func (c *console) listAudit(ctx context.Context, in *trailQuery) (*auditPage, error) {
	call, out := callOf(ctx), &auditPage{}
	var err error
	out.Body.Audit, out.Body.Next, err = trail(ctx, *in, func(e tenant.AuditEntry) time.Time { return e.At },
		func(ctx context.Context, p tenant.Page) ([]tenant.AuditEntry, error) {
			return c.service.AuditTrail(ctx, call.actor, call.tenant, p)
		})
	out.Body.More = out.Body.Next != ""
	return out, err
}

type refusalPage struct {
	Body struct {
		Refusals []tenant.Refusal `json:"refusals" nullable:"false"`
		More     bool             `json:"more"`
		Next     string           `json:"next,omitempty" doc:"after of the next page"`
	} `nameHint:"RefusalPage"`
}

func (c *console) listRefusals(ctx context.Context, in *trailQuery) (*refusalPage, error) {
	call, out := callOf(ctx), &refusalPage{}
	var err error
	out.Body.Refusals, out.Body.Next, err = trail(ctx, *in, func(r tenant.Refusal) time.Time { return r.At },
		func(ctx context.Context, p tenant.Page) ([]tenant.Refusal, error) {
			return c.service.Refusals(ctx, call.actor, call.tenant, p)
		})
	out.Body.More = out.Body.Next != ""
	return out, err
}
