package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/certtest"
	"parley/tenant"
)

// What streams goes over TLS as all else does: with the CA that it is told, by the certificate that the data folder names, and
// not without either.
func TestStreamsOverTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.NewCA(t, "Private CA")
	cert, key := certtest.Files(t, ca.Server(t, func(c *x509.Certificate) { c.IPAddresses = nil }))
	s := serve(t, "--tls-cert", cert, "--tls-key", key)
	named := strings.Replace(s.HTTP, "127.0.0.1", "localhost", 1)
	s.HTTP, s.http = named, trusting(ca)
	ways := map[string][]string{
		"ca":     {"--server", named, "--token", s.token, "--ca", ca.File(t)},
		"folder": {"--data", s.data},
	}
	run := func(way, args string, more ...string) string {
		t.Helper()
		all := append(strings.Fields(args), more...)
		if code, _, errs := runParley(t, append(all, "--server", named, "--token", s.token)...); code != 1 || !strings.Contains(errs, "certificate") {
			t.Errorf("parley %s without --ca: got code %d, %s, want 1 and a word on the certificate", args, code, errs)
		}
		code, out, errs := runParley(t, append(all, ways[way]...)...)
		if code != 0 {
			t.Fatalf("parley %s: got code %d, %s", args, code, errs)
		}
		return out
	}
	run("folder", "tenant create acme")
	run("ca", "user put acme alice")
	lines := archive(t, 2*batchLines+5)
	file := filepath.Join(t.TempDir(), "archive.ndjson")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for way := range ways {
		room := "room-" + way
		run(way, "room create acme "+room+" --class keep")
		if out := run(way, "room import acme "+room, file); !strings.Contains(out, "Imported 2005 messages") {
			t.Errorf("%s: import: got %s", way, out)
		}
		if got := run(way, "room export acme "+room); strings.Count(got, `"sender":"alice"`) != 2005 || !strings.Contains(got, `"text":"line 2005"`) {
			t.Errorf("%s: export: got %d bytes, want all that was imported", way, len(got))
		}
		copied := filepath.Join(t.TempDir(), "copy.ndjson")
		run(way, "room export acme "+room+" --file", copied)
		if b, err := os.ReadFile(copied); err != nil || strings.Count(string(b), `"sender":"alice"`) != 2005 {
			t.Errorf("%s: export to a file: got %d bytes, %v", way, len(b), err)
		}
		if got := run(way, "user export acme alice"); !strings.Contains(got, `"line 2005"`) {
			t.Errorf("%s: export of a user: got %d bytes", way, len(got))
		}
		run(way, "hold place acme "+room, "--reason", "a dispute")
		if got := run(way, "hold list acme"); !strings.Contains(got, room) {
			t.Errorf("%s: holds: got %s", way, got)
		}
		var stored struct{ Seq uint64 }
		s.call("POST", "/v1/tenants/acme/rooms/"+room+"/messages", `{"as":"alice","text":"taken back"}`).into(t, &stored)
		s.call("DELETE", fmt.Sprintf("/v1/tenants/acme/rooms/%s/messages/%d", room, stored.Seq), "")
		if got := run(way, "hold export acme "+room); !strings.Contains(got, "taken back") {
			t.Errorf("%s: export of a hold: got %s, want what was deleted", way, got)
		}
		run(way, "hold lift acme "+room)
		if got := run(way, "top --once --interval 10ms"); !strings.Contains(got, "acme") {
			t.Errorf("%s: top: got %s", way, got)
		}
	}
}

// archive is so many messages as an export has them.
func archive(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 1; i <= n; i++ {
		line, err := json.Marshal(tenant.Message{Seq: uint64(i), Sender: "alice", Time: at.Add(time.Duration(i) * time.Second), Text: fmt.Sprintf("line %d", i)})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}
