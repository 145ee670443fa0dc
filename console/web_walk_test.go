package console

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"parley/tenant"
)

// A step is what a POST of a tenant's page sends, and the least role that may do it.
type step struct {
	least  tenant.SeatRole
	fields []string
	status int // 0: a redirect
}

// reads has the GETs of tenants' pages that not all roles may do, with the least role.
var reads = map[string]tenant.SeatRole{
	"/t/{tenant}/users/{user}/erasure": tenant.SeatAdmin,
	"/t/{tenant}/users/{user}/export":  tenant.SeatAdmin,
	"/t/{tenant}/holds":                tenant.SeatAdmin,
	"/t/{tenant}/holds/lift":           tenant.SeatAdmin,
	"/t/{tenant}/rooms/{room}/held":    tenant.SeatAdmin,
}

// steps has every POST of tenants' pages; TestWalk fails where one is missing.
var steps = map[string]step{
	"/t/{tenant}/connect/snippet":                    {tenant.SeatDeveloper, nil, 200},
	"/t/{tenant}/chat/token":                         {tenant.SeatDeveloper, nil, 200},
	"/t/{tenant}/rooms":                              {tenant.SeatAdmin, []string{"id", "hall", "kind", "open"}, 0},
	"/t/{tenant}/rooms/{room}/edit":                  {tenant.SeatModerator, []string{"slow_seconds", "5"}, 0},
	"/t/{tenant}/rooms/{room}/freeze":                {tenant.SeatModerator, []string{"on", "yes"}, 0},
	"/t/{tenant}/rooms/{room}/archive":               {tenant.SeatAdmin, []string{"on", "yes"}, 0},
	"/t/{tenant}/rooms/{room}/sanctions":             {tenant.SeatModerator, []string{"whom", "alice", "what", "ban", "seconds", "600", "why", "spam"}, 0},
	"/t/{tenant}/rooms/{room}/members/{user}/unban":  {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/rooms/{room}/members/{user}/unmute": {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/rooms/{room}/messages/{seq}/pin":    {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/rooms/{room}/messages/{seq}/unpin":  {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/rooms/{room}/messages/{seq}/delete": {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/reports/{report}/close":             {tenant.SeatModerator, []string{"outcome", "dismissed"}, 0},
	"/t/{tenant}/rooms/{room}/delete":                {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/rooms/{room}/members":               {tenant.SeatAdmin, []string{"user", "alice", "role", "member"}, 0},
	"/t/{tenant}/rooms/{room}/members/{user}/remove": {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/shares":                             {tenant.SeatAdmin, []string{"room", "ours", "guest", "third"}, 0},
	"/t/{tenant}/shares/{share}/accept":              {tenant.SeatAdmin, []string{"title", "Theirs"}, 0},
	"/t/{tenant}/shares/{share}/decline":             {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/shares/{share}/title":               {tenant.SeatAdmin, []string{"title", "Theirs"}, 0},
	"/t/{tenant}/shares/{share}/change":              {tenant.SeatAdmin, []string{"post", "yes"}, 0},
	"/t/{tenant}/shares/{share}/end":                 {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/users":                              {tenant.SeatAdmin, []string{"id", "carol"}, 0},
	"/t/{tenant}/users/{user}/edit":                  {tenant.SeatAdmin, []string{"name", "Bobby"}, 0},
	"/t/{tenant}/users/{user}/revoke":                {tenant.SeatModerator, []string{"reason", "left"}, 0},
	"/t/{tenant}/users/{user}/restore":               {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/users/{user}/token":                 {tenant.SeatDeveloper, []string{"ttl", "1h"}, 200},
	"/t/{tenant}/users/{user}/creds":                 {tenant.SeatAdmin, nil, 200},
	"/t/{tenant}/users/{user}/creds/{nkey}/revoke":   {tenant.SeatModerator, nil, 0},
	"/t/{tenant}/users/{user}/tokens/end":            {tenant.SeatModerator, []string{"token", "t1"}, 0},
	"/t/{tenant}/users/{user}/delete":                {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/users/{user}/erase":                 {tenant.SeatAdmin, []string{"confirm", "bob"}, 0},
	"/t/{tenant}/keys":                               {tenant.SeatAdmin, []string{"name", "backend", "scopes", "read"}, 200},
	"/t/{tenant}/keys/{key}/rotate":                  {tenant.SeatAdmin, []string{"overlap_seconds", "3600"}, 200},
	"/t/{tenant}/keys/{key}/remove":                  {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/people/invite":                      {tenant.SeatAdmin, []string{"role", "viewer"}, 200},
	"/t/{tenant}/people/links/{link}/remove":         {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/people/{person}/role":               {tenant.SeatAdmin, []string{"role", "developer"}, 0},
	"/t/{tenant}/people/{person}/remove":             {tenant.SeatAdmin, nil, 0},
	"/t/{tenant}/settings":                           {tenant.SeatAdmin, []string{"name", "Acme", "timezone", "UTC"}, 0},
	"/t/{tenant}/holds":                              {tenant.SeatAdmin, []string{"room", "lobby", "reason", "case 7"}, 0},
	"/t/{tenant}/holds/lift":                         {tenant.SeatAdmin, []string{"room", "ours", "confirm", "ours"}, 0},
	"/t/{tenant}/erase":                              {tenant.SeatAdmin, []string{"user", "carl"}, 0},
	"/t/{tenant}/delete":                             {tenant.SeatOwner, []string{"confirm", "acme"}, 0},
}

// A town is a site with the tenant acme, whose people are one for each role, and somebody else's tenant.
type town struct {
	*site
	who  map[string]*surfer
	path *strings.Replacer // fills the things of acme into paths
}

func newTown(t testing.TB) *town {
	t.Helper()
	s := newSite(t, tenant.SignUpOpen)
	c := t.Context()
	w := &town{site: s, who: map[string]*surfer{"nobody": s.surfer(), "operator": s.operator(), "owner": s.owner("acme"), "stranger": s.owner("other")}}
	owner := w.who["owner"].principal().Actor()
	for _, role := range tenant.SeatRoles[:4] {
		link, _, err := s.people.Invite(c, owner, "acme", string(role))
		s.must(err)
		w.who[string(role)] = s.join(link, string(role)+"@example.com")
	}
	link, _, err := s.people.Invite(c, owner, "acme", "viewer")
	s.must(err)
	other := s.join(link, "somebody@example.com")
	_, open, err := s.people.Invite(c, owner, "acme", "viewer")
	s.must(err)
	_, err = s.desk.PutMember(c, owner, "acme", "lobby", "bob", "member")
	s.must(err)
	key, _, err := s.desk.AddKey(c, owner, "acme", tenant.KeySpec{Kind: tenant.KeyAPI, Name: "k", Scopes: []tenant.Scope{tenant.ScopeRead}})
	s.must(err)
	s.owner("third")
	stranger := w.who["stranger"].principal().Actor()
	_, err = s.desk.CreateRoom(c, owner, "acme", tenant.NewRoom{ID: "ours", Kind: "shared"})
	s.must(err)
	_, err = s.desk.CreateRoom(c, stranger, "other", tenant.NewRoom{ID: "theirs", Kind: "shared"})
	s.must(err)
	given, err := s.desk.OfferShare(c, owner, "acme", tenant.NewShare{Room: "ours", Guest: "other"})
	s.must(err)
	offered, err := s.desk.OfferShare(c, stranger, "other", tenant.NewShare{Room: "theirs", Guest: "acme"})
	s.must(err)
	for _, u := range []tenant.UserID{"carl", "dora", "gone"} {
		_, _, err = s.desk.PutUser(c, owner, "acme", u, tenant.UserSpec{})
		s.must(err)
	}
	_, err = s.desk.Ban(c, owner, "acme", "lobby", "carl", tenant.Term{}, "")
	s.must(err)
	_, err = s.desk.Mute(c, owner, "acme", "lobby", "dora", tenant.Term{}, "")
	s.must(err)
	_, err = s.desk.EraseUser(c, owner, "acme", "gone")
	s.must(err)
	_, err = s.desk.PlaceHold(c, owner, "acme", "ours", "case 6")
	s.must(err)
	_, err = s.desk.IssueCreds(c, owner, "acme", "bob")
	s.must(err)
	issued, err := s.desk.Credentials(c, owner, "acme", "bob", tenant.Page{Limit: 1})
	s.must(err)
	s.must(s.desk.Report(c, "acme", "bob", tenant.Report{Room: "lobby", Seq: 7, Sender: "alice", Reason: "spam"}))
	reports, err := s.desk.Reports(c, owner, "acme", tenant.OpenReports, tenant.Page{Limit: 1})
	s.must(err)
	w.path = strings.NewReplacer("{report}", strconv.FormatInt(reports[0].ID, 10), "{user}/erasure", "gone/erasure", "holds/lift", "holds/lift?room=ours", "{user}/export", "alice/export", "{nkey}", issued[0].NKey, "{user}/unban", "carl/unban", "{user}/unmute", "dora/unmute", "{seq}", "7",
		"{share}/change", given.ID+"/change", "{share}", offered.ID, "{tenant}", "acme", "{room}", "lobby", "{user}", "bob", "{key}", key.ID,
		"{link}", open.ID, "{person}", string(other.principal().Profile.ID), "{login}", "none", "{$}", "")
	return w
}

// changes counts what was done to acme, and to its messages.
func (w *town) changes() int {
	w.t.Helper()
	return w.count("SELECT count(*) FROM audit WHERE tenant_id IN ('acme', 'other')") + len(w.chat.calls())
}

func (w *town) send(r route, who string) reply {
	w.t.Helper()
	path := w.path.Replace(r.path)
	if r.method == http.MethodGet {
		return w.who[who].get(path)
	}
	return w.who[who].post(path, steps[r.path].fields...)
}

// CON-04: every route as everybody who is not to see it; what is somebody else's does not exist.
func TestWalk(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	refuse := func(r route, who string, status int) {
		t.Helper()
		before := w.changes()
		if got := w.send(r, who); got.status != status {
			t.Errorf("%s %s as %s: got %d, want %d\n%.600s", r.method, r.path, who, got.status, status, got.body)
		}
		if after := w.changes(); after != before {
			t.Errorf("%s %s as %s: got %d changes, want none", r.method, r.path, who, after-before)
		}
	}
	for _, r := range w.web.routes {
		if strings.HasSuffix(r.path, "/wait") || r.who == anybody {
			continue // waits for a message; is for everybody
		}
		refuse(r, "nobody", http.StatusSeeOther)
		if r.who == operator {
			refuse(r, "owner", http.StatusNotFound)
			continue
		}
		if r.who != seated {
			continue
		}
		refuse(r, "stranger", http.StatusNotFound)
		refuse(r, "operator", http.StatusNotFound) // who did not say why
		s, known := steps[r.path]
		if r.method == http.MethodGet {
			status := http.StatusOK
			if _, limited := reads[r.path]; limited {
				status = http.StatusForbidden
			}
			for _, role := range tenant.SeatRoles {
				if role == reads[r.path] {
					status = http.StatusOK
				}
				refuse(r, string(role), status)
			}
			continue
		}
		if !known {
			t.Errorf("the route %s is missing among the steps", r.path)
			continue
		}
		for _, role := range tenant.SeatRoles {
			if role == s.least {
				break
			}
			status := http.StatusForbidden
			if r.path == "/t/{tenant}/connect/snippet" {
				status = http.StatusOK // a part of a page, which says so
			}
			refuse(r, string(role), status)
		}
	}
}

// Whoever may do a step does it once, however often his form is sent: by a double click, or later.
func TestWalkOfWhoMay(t *testing.T) {
	t.Parallel()
	for path, s := range steps {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			if path == "/t/{tenant}/delete" { // which holds keep it from
				w.must(w.desk.LiftHold(t.Context(), w.who["owner"].principal().Actor(), "acme", "ours"))
			}
			before := w.changes()
			by, body := w.who[string(s.least)], s.body()
			got := by.send(http.MethodPost, w.path.Replace(path), body)
			want := s.status
			if want == 0 {
				want = http.StatusSeeOther
			}
			if got.status != want {
				t.Errorf("%s as %s: got %d, want %d\n%s", path, s.least, got.status, want, got.body)
			}
			once := w.changes()
			if once == before {
				t.Errorf("%s as %s: got no change, want one", path, s.least)
			}
			if _, often := noOnce[path]; often {
				return
			}
			for _, got := range by.clicks(2, w.path.Replace(path), body) {
				if got.status >= http.StatusInternalServerError || strings.Contains(got.body, idempotencyHeader) {
					t.Errorf("%s again: got %d %s", path, got.status, complaints(got.body))
				}
			}
			if again := w.changes(); again != once {
				t.Errorf("%s again: got %d changes, want none", path, again-once)
			}
		})
	}
}

func TestFormsKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.who["owner"]
	bad := `no "id" <b>`
	kept := `value="no &#34;id&#34; &lt;b&gt;"`
	for _, c := range []struct {
		path   string
		fields []string
		texts  []string
	}{
		{"/t/acme/rooms", []string{"id", bad, "title", "Hall", "kind", "nonsense", "class", "nonsense"}, []string{kept, `value="Hall"`, "e-id", "e-kind", "e-class"}},
		{"/t/acme/rooms", []string{"id", "lobby", "title", "Again", "kind", "private"}, []string{`value="Again"`, "e-id", `value="private" selected`}},
		{"/t/acme/rooms/lobby/members", []string{"user", bad, "role", "member"}, []string{kept, "e-user"}},
		{"/t/acme/rooms/lobby/members", []string{"user", "nobody", "role", "reader"}, []string{`value="nobody"`, "There is no user of this id", `value="reader" selected`}},
		{"/t/acme/rooms/lobby/members", []string{"user", "alice", "role", "king"}, []string{`value="alice"`, "e-role"}},
		{"/t/acme/rooms/lobby/edit", []string{"title", strings.Repeat("x", 201), "history", "some", "slow_seconds", "-1"}, []string{strings.Repeat("x", 201), "e-title", "e-history", "e-slow_seconds", `value="-1"`}},
		{"/t/acme/rooms/lobby/edit", []string{"title", "Hall", "slow_seconds", "slow"}, []string{`value="Hall"`, "e-slow_seconds"}},
		{"/t/acme/rooms/lobby/sanctions", []string{"whom", bad, "what", "ban", "seconds", "600"}, []string{kept, "e-whom", `value="ban" selected`}},
		{"/t/acme/rooms/lobby/sanctions", []string{"whom", "nobody", "what", "mute", "seconds", "0"}, []string{"There is no user of this id", `value="0" selected`}},
		{"/t/acme/rooms/lobby/sanctions", []string{"whom", "alice", "what", "hug", "seconds", "soon"}, []string{`value="alice"`, "e-what"}},
		{"/t/acme/rooms/lobby/sanctions", []string{"whom", "alice", "what", "mute", "seconds", "600", "why", strings.Repeat("x", 201)}, []string{"e-why"}},
		{"/t/acme/shares", []string{"room", bad, "guest", bad, "history", "some", "until", "2001-01-01"}, []string{kept, "e-guest", "e-history", "e-until"}},
		{"/t/acme/shares", []string{"room", "lobby", "guest", "other"}, []string{"e-room", `value="other"`}},
		{"/t/acme/shares", []string{"room", "ours", "guest", "nobody", "until", "soon"}, []string{"e-until", `value="nobody"`}},
		{"/t/acme/shares", []string{"room", "ours", "guest", "nobody", "post", "yes"}, []string{"e-guest", `value="yes" selected`}},
		{w.path.Replace("/t/acme/shares/{share}/accept"), []string{"title", strings.Repeat("x", 201)}, []string{"e-title"}},
		{w.path.Replace("/t/acme/shares/{share}/change"), []string{"until", "2001-01-01"}, []string{"e-until"}},
		{"/t/acme/users", []string{"id", bad, "name", "Carol"}, []string{kept, `value="Carol"`, "e-id"}},
		{"/t/acme/users", []string{"id", "alice", "name", "Carol"}, []string{"A user of this id exists", `value="Carol"`}},
		{"/t/acme/users", []string{"id", "carol", "name", strings.Repeat("x", 201), "password", "s3cret!"}, []string{"e-name", "e-password"}},
		{"/t/acme/users/bob/edit", []string{"name", strings.Repeat("x", 201)}, []string{"e-name"}},
		{"/t/acme/users/bob/revoke", []string{"reason", strings.Repeat("x", 201)}, []string{"e-reason"}},
		{"/t/acme/users/bob/token", []string{"ttl", "soon"}, []string{"e-ttl"}},
		{"/t/acme/users/bob/token", []string{"ttl", "240h"}, []string{"e-ttl"}},
		{"/t/acme/users/bob/tokens/end", []string{"token", "a b"}, []string{"e-token", `value="a b"`}},
		{"/t/acme/users/bob/erase", []string{"confirm", "alice"}, []string{"e-confirm", `value="alice"`}},
		{"/t/acme/users/bob/edit", []string{"nkey", "SUA"}, []string{"e-nkey", `value="SUA"`}},
		{"/t/acme/keys", []string{"name", strings.Repeat("x", 201), "scopes", "read"}, []string{"e-name"}},
		{"/t/acme/keys", []string{"name", "x", "scopes", "everything"}, []string{"e-scopes"}},
		{"/t/acme/keys?kind=service", []string{"name", bad}, []string{"e-name", kept}},
		{"/t/acme/keys?kind=user-token", []string{"name", "app", "alg", "EdDSA", "public_key", "secret"}, []string{"e-public_key", `value="app"`, ">secret</textarea>"}},
		{"/t/acme/keys?kind=jwks", []string{"name", "app", "url", "http://127.0.0.1", "create_users", "yes"}, []string{"e-url", `value="yes" selected`}},
		{"/t/acme/keys?kind=oidc", []string{"name", "app", "issuer", "x", "client_id", "", "user_claim", "email"}, []string{"e-issuer", "e-client_id", `value="email"`}},
		{"/t/acme/keys/" + w.path.Replace("{key}") + "/rotate", []string{"overlap_seconds", "soon"}, []string{"e-overlap_seconds"}},
		{"/t/acme/keys?kind=tls-ca", []string{"name", "app", "certificate", "none", "user_field", "hat"}, []string{"e-certificate", "e-user_field"}},
		{"/t/acme/people/invite", []string{"role", "king"}, []string{"e-role"}},
		{"/t/acme/settings", []string{"name", "", "timezone", "Nowhere"}, []string{"e-name", "e-timezone", `value="Nowhere"`}},
		{"/t/acme/holds", []string{"room", bad, "reason", "case 7"}, []string{kept, "e-room", `value="case 7"`}},
		{"/t/acme/holds", []string{"room", "nowhere", "reason", "case 7"}, []string{"There was never a room of this id"}},
		{"/t/acme/holds", []string{"room", "lobby", "reason", ""}, []string{`value="lobby"`, "e-reason"}},
		{"/t/acme/holds/lift", []string{"room", "ours", "confirm", "our"}, []string{"e-confirm", `value="our"`, "Type ours exactly"}},
		{"/t/acme/erase", []string{"user", bad}, []string{"e-user", kept}},
		{"/t/acme/erase", []string{"user", "nobody"}, []string{"e-user", `value="nobody"`}},
		{"/t/acme/delete", []string{"confirm", "acm"}, []string{"e-confirm", `value="acm"`}},
	} {
		before := w.changes()
		got := b.post(c.path, c.fields...)
		if got.status < 400 || got.status >= 500 {
			t.Errorf("%s %v: got %d, want a 4xx", c.path, c.fields, got.status)
		}
		for _, text := range c.texts {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s %v: got a page without %q\n%s", c.path, c.fields, text, got.body)
			}
		}
		if strings.Contains(got.body, "s3cret!") {
			t.Errorf("%s: got the password back", c.path)
		}
		if w.changes() != before {
			t.Errorf("%s %v: got a change, want none", c.path, c.fields)
		}
	}
}

func TestTheTrailIsExportedWithoutFormulas(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	reason := "=cmd|' /C calc'!A0"
	_, err := w.pool.Exec(t.Context(), "INSERT INTO audit (tenant_id, at, actor, action, object) VALUES ('acme', now() + interval '1 s', $1, '+1', '@x')", reason)
	w.must(err)
	got := w.who["viewer"].get("/t/acme/audit.csv")
	if !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") || !strings.Contains(got.body, "'"+reason+",'+1,'@x") {
		t.Errorf("got %v\n%s\nwant an attachment whose cells are text", got.header, got.body)
	}
	if !strings.Contains(got.body, "user.create") {
		t.Errorf("got %s, want the whole trail", got.body)
	}
}

// What is in an entry never makes another one, whatever wrote it.
func TestTheTrailIsExportedALineForAnEntry(t *testing.T) { // CON-15
	t.Parallel()
	w := newTown(t)
	const forged = "x\r\n2026-01-01T00:00:00Z,operator,user.create,user:eve,,\u2028\u202e\x1b[2J\u0085"
	_, err := w.pool.Exec(t.Context(), "INSERT INTO audit (tenant_id, at, actor, action, object, before, after) VALUES ('acme', now(), $1, $1, $1, to_jsonb($1::text), to_jsonb($1::text))", forged)
	w.must(err)
	entries := w.count("SELECT count(*) FROM audit WHERE tenant_id = 'acme'")
	b := w.who["viewer"]
	sheet := b.get("/t/acme/audit.csv").body
	if n := strings.Count(sheet, "\n"); n != entries+1 {
		t.Errorf("got %d lines, want a head and %d entries\n%s", n, entries, sheet)
	}
	if strings.ContainsAny(sheet, "\r\u2028\u202e\x1b\u0085") || !strings.Contains(sheet, `x\u000d\u000a2026-01-01`) {
		t.Errorf("got %q, want hidden characters as escapes", sheet)
	}
	if lines := b.get("/t/acme/audit.ndjson").body; strings.Count(lines, "\n") != entries || strings.ContainsAny(lines, "\r\x1b\u2028") {
		t.Errorf("got %q, want %d lines", lines, entries)
	}
}

func TestRevokingSaysHowManyAndHowLong(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.who["moderator"]
	page := b.goes("revoke", b.post("/t/acme/users/bob/revoke", "reason", "left"), "/t/acme/users/bob")
	b.shows("the user", page, http.StatusOK, "bob is out: 3 connections closed in ", " ms.", "revoked", "left", "Let them in again")
	b.goes("restore", b.post("/t/acme/users/bob/restore"), "/t/acme/users/bob")
	if n := w.count("SELECT count(*) FROM users WHERE user_id = 'bob' AND tenant_id = 'acme' AND status = 'active'"); n != 1 {
		t.Error("got bob revoked, want him active again")
	}
}
