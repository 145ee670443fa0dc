package console

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/tenant"
)

// foreign are the headers of a browser that another site had send a form, by how it did.
var foreign = map[string][]string{
	"another origin":         {"Origin", "https://evil.example"},
	"no origin":              {"Origin", ""},
	"null":                   {"Origin", "null"},
	"cross-site":             {"Sec-Fetch-Site", "cross-site"},
	"same-site, other host":  {"Sec-Fetch-Site", "same-site"},
	"plain text from abroad": {"Origin", "https://evil.example", "Content-Type", "text/plain"},
}

// CON-01: no form that another site sends has an effect, whoever is logged in; TestWalkOfWhoMay has the twin.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	changes := func() int { return w.count("SELECT count(*) FROM audit") + len(w.chat.calls()) }
	before := changes()
	for _, r := range w.web.routes {
		if r.method != http.MethodPost {
			continue
		}
		body := steps[r.path].body()
		for how, headers := range foreign {
			for _, who := range []string{"owner", "operator"} {
				got := w.who[who].send(http.MethodPost, w.path.Replace(r.path), body, headers...)
				if got.status != http.StatusForbidden || !strings.Contains(got.body, "another site") {
					t.Errorf("%s as %s, %s: got %d, want 403", r.path, who, how, got.status)
				}
			}
		}
	}
	if n := changes() - before; n != 0 {
		t.Errorf("got %d changes, want none", n)
	}
}

// CON-02: what a role allowed ends with it, in all sessions, at the next request.
func TestARoleThatChangesCountsAtTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	admin, owner := w.who["admin"], w.who["owner"]
	admin.goes("as an admin", admin.post("/t/acme/users", "id", "erin"), "/t/acme/users/erin")
	person := string(admin.principal().Profile.ID)
	owner.goes("a lesser role", owner.post("/t/acme/people/"+person+"/role", "role", "viewer"), "/t/acme/people")
	admin.shows("as a viewer", admin.post("/t/acme/users", "id", "fred"), http.StatusForbidden)
	owner.goes("none", owner.post("/t/acme/people/"+person+"/remove"), "/t/acme/people")
	admin.shows("as nobody", admin.get("/t/acme/users"), http.StatusNotFound)
	if n := w.count("SELECT count(*) FROM users WHERE user_id = 'fred'"); n != 0 {
		t.Error("got a user made by a viewer")
	}
}

// CON-10: a key counts in its header alone. In an address it would be in logs.
func TestKeysInAddressesOpenNothing(t *testing.T) {
	t.Parallel()
	h := newHarness(t, nil)
	for _, name := range []string{"token", "key", "api_key", "access_token", "authorization"} {
		got := h.do("GET", "/v1/tenants/t1/users?"+name+"="+url.QueryEscape(key1), "", "")
		if got.status != http.StatusUnauthorized {
			t.Errorf("a key as %s in the address: got %d, want 401", name, got.status)
		}
	}
	if got := h.do("GET", "/v1/tenants/t1/users", key1, ""); got.status != http.StatusOK {
		t.Errorf("the key in its header: got %d, want 200", got.status)
	}
}

// CON-12: what two parsers could read in two ways is refused.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	host := strings.TrimPrefix(s.url, "http://")
	for name, c := range map[string]struct {
		head   string
		status string
	}{
		"a plain one":                        {"POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", "403"}, // of no origin
		"two lengths":                        {"POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", "400"},
		"a length with a sign":               {"POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: +5\r\n\r\nhello", "400"},
		"an unknown coding":                  {"POST /login HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
		"chunks twice":                       {"POST /login HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"},
		"a folded header":                    {"GET /login HTTP/1.1\r\nHost: %s\r\nX-A: b\r\n c\r\n\r\n", "200"}, // read as one value, as everybody does
		"a space before the colon":           {"GET /login HTTP/1.1\r\nHost: %s\r\nX-A : b\r\n\r\n", "400"},
		"two hosts":                          {"GET /login HTTP/1.1\r\nHost: %s\r\nHost: evil.example\r\n\r\n", "400"},
		"no host":                            {"GET /login HTTP/1.1\r\n\r\n", "400"},
		"a NUL in a header":                  {"GET /login HTTP/1.1\r\nHost: %s\r\nX-A: a\x00b\r\n\r\n", "400"},
		"an HTTP/2 preface on this protocol": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "4"},
	} {
		head := c.head
		if strings.Contains(head, "%s") {
			head = fmt.Sprintf(head, host)
		}
		conn, err := net.Dial("tcp", host)
		s.must(err)
		_, err = conn.Write([]byte(head))
		s.must(err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.") || !strings.HasPrefix(line[9:], c.status) {
			t.Errorf("%s: got %q, %v, want %s", name, line, err, c.status)
		}
		s.must(conn.Close())
	}
}

// CON-12: of a request with a length and chunks the chunks count, and nothing behind it is read: a proxy that
// went by the length would take it for a part of this one.
func TestNothingIsReadBehindChunks(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenant.SignUpOpen)
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", host)
	s.must(err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: %s\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /login HTTP/1.1\r\nHost: %s\r\n\r\n", host, host)
	s.must(err)
	all, err := io.ReadAll(conn)
	s.must(err)
	if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 {
		t.Errorf("got %d answers, want one and the end of the connection\n%s", n, all)
	}
}
