package tenant_test

import (
	"slices"
	"testing"
	"time"

	"parley/tenant"
)

func TestRetentionChangesInPartsAndReachesTheStreams(t *testing.T) {
	t.Parallel()
	d := furnished(t)
	ctx := t.Context()
	week, zero, refuse, wrong := int64(7*24*3600), int64(0), tenant.RefuseNew, tenant.WhenFull("sometimes")
	for _, c := range []struct {
		patch tenant.RetentionPatch
		want  tenant.Retention
		field string
		did   []string
	}{
		{patch: tenant.RetentionPatch{StdSeconds: &week}, want: tenant.Retention{StdSeconds: week}, did: []string{"conform"}},
		{patch: tenant.RetentionPatch{WhenFull: &refuse}, want: tenant.Retention{StdSeconds: week, WhenFull: refuse}, did: []string{"conform"}},
		{patch: tenant.RetentionPatch{WhenFull: &wrong}, field: "retention.when_full"},
		{patch: tenant.RetentionPatch{StdSeconds: ptr(int64(59))}, field: "retention.std_seconds"},
		{patch: tenant.RetentionPatch{StdSeconds: ptr(int64(-1))}, field: "retention.std_seconds"},
		{patch: tenant.RetentionPatch{StdSeconds: ptr(int64(1) << 62)}, field: "retention.std_seconds"},
		{patch: tenant.RetentionPatch{StdSeconds: &week}, want: tenant.Retention{StdSeconds: week, WhenFull: refuse}},
		{patch: tenant.RetentionPatch{StdSeconds: &zero}, want: tenant.Retention{WhenFull: refuse}, did: []string{"conform"}},
	} {
		before, _ := d.Tenant(ctx, tenant.Operator(), "acme")
		got, err := d.UpdateTenant(ctx, tenant.Operator(), "acme", tenant.TenantPatch{Retention: c.patch})
		if c.field != "" {
			e, ok := tenant.AsError(err)
			after, _ := d.Tenant(ctx, tenant.Operator(), "acme")
			if !ok || e.Fields[c.field] == "" || after.Retention != before.Retention {
				t.Errorf("%+v: got %v and %+v, want %s refused", c.patch, err, after.Retention, c.field)
			}
			continue
		}
		if did := d.taken(); err != nil || got.Retention != c.want || !slices.Equal(did, c.did) {
			t.Errorf("%+v: got %+v, %v, did %v, want %+v, %v", c.patch, got.Retention, err, did, c.want, c.did)
		}
	}
	if got := (tenant.Retention{}).Age(tenant.Std); got != 90*24*time.Hour {
		t.Errorf("the default age of std: got %s", got)
	}
}

func ptr[T any](v T) *T { return &v }
