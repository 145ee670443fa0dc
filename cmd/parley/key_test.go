package main

import (
	"fmt"
	"net/http"
	"testing"
)

// addKey makes a key of a tenant from a body in JSON.
func (s *server) addKey(tenant, body string) (made keyAnswer) {
	s.t.Helper()
	s.call(http.MethodPost, "/v1/tenants/"+tenant+"/keys", body).into(s.t, &made)
	return made
}

func TestAPIKeysDoWhatTheirScopesSay(t *testing.T) {
	t.Parallel()
	s := house(t)
	for _, c := range []struct {
		scope, method, path, body string
	}{
		{"read", "GET", "/v1/tenants/acme/users", ""},
		{"chat", "POST", "/v1/tenants/acme/users/alice/tokens", `{"ttl_seconds":60}`},
		{"admin", "PUT", "/v1/tenants/acme/users/dora", `{"name":"Dora"}`},
	} {
		for _, scope := range []string{"read", "chat", "admin"} {
			made := s.addKey("acme", fmt.Sprintf(`{"kind":"api","name":"bot","scopes":[%q]}`, scope))
			got := s.send(made.APIKey, c.method, c.path, c.body)
			if allowed := got.status < 300; allowed != (scope == c.scope) || !allowed && got.status != 403 {
				t.Errorf("%s %s with the scope %s: got %d %s", c.method, c.path, scope, got.status, got.body)
			}
			s.call("DELETE", "/v1/tenants/acme/keys/"+made.Key.ID, "")
			if got := s.send(made.APIKey, c.method, c.path, c.body); got.status != 401 {
				t.Errorf("%s %s with a removed key: got %d, want 401", c.method, c.path, got.status)
			}
		}
	}
}
