package pgstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

// loadsOf asks as the service does, which judges.
func loadsOf(t *testing.T, s *Store, p tenant.Page) []string {
	t.Helper()
	desk, err := tenant.NewService(tenant.Config{Store: s, Accounts: noAccounts{}, Streams: noStreams{}, Passwords: noPasswords{}})
	must(t, err)
	all, err := desk.Loads(within(t), tenant.Operator(), p)
	must(t, err)
	var got []string
	for _, l := range all {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %d/%d/%d %s", l.ID, l.Health, l.Connections.Used, l.Users.Used, l.Rooms.Used, strings.Join(l.Near, "+"))))
	}
	return got
}

type (
	noAccounts  struct{ tenant.Accounts }
	noStreams   struct{ tenant.Streams }
	noPasswords struct{ tenant.Passwords }
)

func TestLoads(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	addTenant(t, s, "acme", "behind", "full", "gone", "quiet", "shut")
	setStatus(t, s, "gone", tenant.Deleting)
	setStatus(t, s, "shut", tenant.Suspended)
	for i := range 7 { // the limit of all these tenants
		addUser(t, s, userOf("full", tenant.UserID(fmt.Sprint("u", i))))
	}
	addUser(t, s, userOf("acme", "alice"))
	addRoom(t, s, roomOf("acme", "lobby", tenant.Open), roomOf("acme", "alice.bob", tenant.Direct))
	for _, sql := range []string{
		`UPDATE accounts SET iat = 5, pushed_iat = 4 WHERE tenant_id IN ('behind', 'shut')`,
		`INSERT INTO sessions (server_id, cid, account, user_id, method, address, since)
			SELECT 'N1', 1, account, 'alice', 'token', '', now() FROM tenants WHERE tenant_id = 'acme'`,
		`INSERT INTO streams (stream, tenant_id, account, class, first_seq, last_seq)
			SELECT c || '-' || account, tenant_id, account, c, 1, 0 FROM tenants, unnest('{std,keep}'::text[]) c WHERE tenant_id = 'full'`,
		fmt.Sprintf(`INSERT INTO stream_sizes SELECT stream, 9, %d FROM streams WHERE class = 'std'`, tenant.Plan.StorageBytes),
	} {
		_, err := s.pool.Exec(within(t), sql)
		must(t, err)
	}
	all := []string{"acme ok 1/1/1", "behind behind 0/0/0", "full near_limit 0/7/0 users+storage_bytes of std", "quiet ok 0/0/0", "shut suspended 0/0/0"}
	for _, c := range []struct {
		what string
		page tenant.Page
		want []string
	}{
		{"all", tenant.Page{Limit: 9}, all},
		{"a page", tenant.Page{Limit: 2, After: "acme"}, all[1:3]},
		{"a search", tenant.Page{Limit: 9, Query: "UI"}, all[3:4]},
		{"a search of all characters", tenant.Page{Limit: 9, Query: "%"}, nil},
	} {
		if got := loadsOf(t, s, c.page); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	got, err := s.Loads(within(t), tenant.Page{Limit: 1, After: "behind"})
	must(t, err)
	want(t, "what is stored", got[0].Bytes(), tenant.Use{Used: tenant.Plan.StorageBytes, Limit: 2 * tenant.Plan.StorageBytes})
	setStatus(t, s, "full", tenant.Deleting)
	must(t, s.DropTenant(context.WithoutCancel(within(t)), "full"))
	want(t, "sizes of a tenant that was dropped", count(t, s, `SELECT count(*) FROM stream_sizes`), 0)
}
