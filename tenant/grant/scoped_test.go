package grant

import (
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

func TestForScoped(t *testing.T) {
	t.Parallel()
	member, ok := ForScoped("acme", tenant.ScopedMember)
	if !ok {
		t.Fatal("there are no members")
	}
	same(t, "pub", member.Pub, []string{"chat.*.open.*.{{subject()}}", "chat.api.{{subject()}}.*", "svc.*.acme.{{subject()}}"})
	same(t, "sub", member.Sub, []string{
		"_INBOX.{{subject()}}.>", "live.*.announce.*.*", "live.*.open.*.*", "live.user.{{subject()}}.*", "sig.*.announce.*.*", "sig.*.open.*.*",
	})
	service, ok := ForScoped("acme", tenant.ScopedService)
	if !ok {
		t.Fatal("there are no services")
	}
	for _, shared := range append(service.Pub, service.Sub...) {
		if strings.Contains(shared, ".shared.") || strings.Contains(shared, ".direct.") {
			t.Errorf("got %s, want no shared or direct rooms", shared)
		}
	}
	for _, g := range []Grant{member, service} {
		same(t, "deny", g.SubDeny, []string{"live.> >", "sig.> >"})
		for _, s := range slices.Concat(g.Pub, g.Sub) {
			if strings.Contains(strings.ReplaceAll(s, subjectTemplate, ""), "{{") {
				t.Errorf("%s: a template that the signer fills", s)
			}
		}
	}
	for _, role := range []tenant.ScopedRole{"", "owner", "Member"} {
		if g, ok := ForScoped("acme", role); ok || len(g.Pub) > 0 {
			t.Errorf("role %q: got %v, want no rights", role, g)
		}
	}
}
