package console

import (
	"net/http"
	"strings"
	"testing"

	"parley/tenant"
)

// CON-18
func TestAnOperatorEntersATenantAndItsPeopleSeeIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	op, owner := w.who["operator"], w.who["owner"]
	op.shows("before", op.get("/t/acme"), http.StatusNotFound)
	op.shows("without a reason", op.post("/operator/tenants/acme/enter", "reason", ""), http.StatusUnprocessableEntity, "e-reason")
	op.shows("the page", op.goes("enter", op.post("/operator/tenants/acme/enter", "reason", "ticket 12"), "/t/acme"), http.StatusOK, "You are here as an operator", "ticket 12")
	owner.shows("the trail", owner.get("/t/acme/audit"), http.StatusOK, "operator.enter", "ticket 12", "operator:op@example.com")
	owner.shows("the colleagues", owner.get("/t/acme/people"), http.StatusOK, "An operator is in this tenant", "ticket 12")
	op.goes("act there", op.post("/t/acme/rooms", "id", "hall", "kind", "open"), "/t/acme/rooms/hall")
	owner.shows("who did it", owner.get("/t/acme/audit?q=room.create"), http.StatusOK, "person:op@example.com")
	op.shows("what owners do", op.post("/t/acme/delete", "confirm", "acme"), http.StatusForbidden)
	op.goes("leave", op.post("/operator/tenants/acme/leave"), "/operator")
	op.shows("after", op.get("/t/acme"), http.StatusNotFound)
}

func TestAnOperatorRunsTenants(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	op := w.who["operator"]
	op.shows("the list", op.get("/operator?q=acm"), http.StatusOK, `href="/operator/tenants/acme"`)
	op.shows("a wrong limit", op.post("/operator/tenants/acme/limits", "users", "many", "rooms", "-1"), http.StatusUnprocessableEntity, "e-users", `value="many"`)
	limits := []string{"connections", "5", "users", "6", "rooms", "7", "storage_bytes", "0", "message_bytes", "0", "messages_per_second", "0", "connections_per_user", "0"}
	op.shows("limits", op.goes("set", op.post("/operator/tenants/acme/limits", limits...), "/operator/tenants/acme"), http.StatusOK, `value="7"`)
	op.shows("suspended", op.goes("suspend", op.post("/operator/tenants/acme/suspend"), "/operator/tenants/acme"), http.StatusOK, "Resume")
	w.who["owner"].shows("a change in a suspended tenant", w.who["owner"].post("/t/acme/rooms", "id", "hall", "kind", "open"), http.StatusForbidden, "suspended")
	op.goes("resume", op.post("/operator/tenants/acme/resume"), "/operator/tenants/acme")
	op.shows("jobs and accounts", op.get("/operator/health"), http.StatusOK, "push_claims", "acme")
	op.shows("no such job", op.post("/operator/jobs/999999/retry"), http.StatusNotFound)
	op.shows("the trail", op.get("/operator/audit?q=person.join"), http.StatusOK, "person:op@example.com")
	op.shows("people", op.get("/operator/people"), http.StatusOK, "acme-owner@example.com")
}

func TestLinksOfOperatorsAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	op := w.who["operator"]
	word := onceOf(t, op.get("/operator/people"))
	shown := op.post("/operator/people/invite", "kind", "founder", "once", word)
	op.shows("the link", shown, http.StatusOK, "/join?link#", "shown once")
	again := op.goes("the same form", op.post("/operator/people/invite", "kind", "founder", "once", word), "/operator/people")
	op.shows("the page behind it", again, http.StatusOK, "not shown again")
	if n := w.count("SELECT count(*) FROM links WHERE kind = 'founder'"); n != 1 {
		t.Errorf("got %d links, want 1", n)
	}
	op.shows("a recovery", op.post("/operator/people/recover", "email", "acme-owner@example.com"), http.StatusOK, "/recover#")
	op.shows("of nobody", op.post("/operator/people/recover", "email", "nobody@example.com"), http.StatusNotFound)
	secret := shown.body[strings.Index(shown.body, "/join?link#")+len("/join?link#"):][:26]
	if strings.Contains(w.log.String(), secret) {
		t.Error("got the link's secret in the log")
	}
	if _, err := w.people.Link(t.Context(), tenant.Secret(secret)); err != nil {
		t.Errorf("the link that was shown: got %v, want that it works", err)
	}
}

func TestOperatorsSeeServersStreamsAndHowTenantsFare(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	op := w.who["operator"]
	op.shows("the servers", op.get("/operator/servers"), http.StatusOK, "n1", "2.12.0", "3 MiB", "1 without an answer", "does not answer", "Its cluster says that it is away")
	op.shows("the streams", op.get("/operator/streams"), http.StatusOK, "std-A1", "2 to go", "1 behind", "led by n1", `href="/operator/tenants/t1"`)
	for _, c := range []struct{ sql, want string }{
		{"UPDATE tenants SET limits = '{\"users\": 3}' WHERE tenant_id = 'acme'", "near a limit</span> <span class=\"small muted\">users"},
		{"UPDATE accounts SET iat = 9, pushed_iat = 8 WHERE tenant_id = 'acme'", "claims behind"},
		{"UPDATE tenants SET status = 'suspended' WHERE tenant_id = 'acme'", "suspended"},
	} {
		if got := op.get("/operator?q=acme"); strings.Contains(got.body, c.want) {
			t.Errorf("before %s: got %q already", c.sql, c.want)
		}
		_, err := w.pool.Exec(t.Context(), c.sql)
		w.must(err)
		op.shows(c.sql, op.get("/operator?q=acme"), http.StatusOK, c.want)
	}
}
