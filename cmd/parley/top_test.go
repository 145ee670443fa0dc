package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

func TestTopCountsAndSorts(t *testing.T) {
	t.Parallel()
	load := func(id tenant.TenantID, connections, messages, bytes int64) tenant.TenantLoad {
		return tenant.TenantLoad{
			ID: id, Health: tenant.HealthOK, Connections: tenant.Use{Used: connections, Limit: 10}, Messages: messages,
			Storage: map[tenant.Class]tenant.Use{tenant.Std: {Used: bytes, Limit: 100}},
		}
	}
	begin := time.Unix(0, 0)
	before := sample{begin, []tenant.TenantLoad{load("a", 1, 100, 0), load("b", 2, 0, 5), load("d", 2, 9, 5)}}
	now := sample{begin.Add(2 * time.Second), []tenant.TenantLoad{load("a", 1, 106, 0), load("b", 2, 1, 5), load("c", 0, 50, 9), load("d", 2, 3, 5)}}
	for by, want := range map[string]string{
		"connections": "b 2 0.5, d 2 0, a 1 3, c 0 0", "messages": "a 1 3, b 2 0.5, c 0 0, d 2 0", "storage": "c 0 0, b 2 0.5, d 2 0, a 1 3",
	} {
		var got []string
		for _, r := range now.since(before, by, 0) {
			got = append(got, fmt.Sprintf("%s %d %g", r.Tenant, r.Connections.Used, r.Messages))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("by %s: got %s, want %s", by, text, want)
		}
	}
	if rows := now.since(before, "storage", 1); len(rows) != 1 || rows[0].Tenant != "c" {
		t.Errorf("the first alone: got %+v", rows)
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	s := serve(t)
	furnish(s, "acme")
	furnish(s, "beta")
	s.terminal("alice", "lobby")
	rows := func() (all []topRow) {
		t.Helper()
		code, out, errs := runParley(t, "top", "--once", "--json", "--interval", "20ms", "--data", s.data)
		if err := json.Unmarshal([]byte(out), &all); code != 0 || err != nil {
			t.Fatalf("got %d, %q, %s (%v)", code, out, errs, err)
		}
		return all
	}
	all := rows()
	if len(all) != 2 || all[0].Tenant != "acme" || all[0].Connections.Used != 1 || all[0].Connections.Limit != tenant.Plan.Connections || all[0].Health != tenant.HealthOK {
		t.Errorf("got %+v, want acme with one connection first", all)
	}
	code, out, _ := runParley(t, "top", "--once", "--by", "storage", "--limit", "1", "--interval", "20ms", "--data", s.data)
	if code != 0 || strings.Count(out, "\n") != 2 || strings.Contains(out, clear) || !strings.HasPrefix(out, "TENANT") {
		t.Errorf("as a table: got %d, %q, want a head and one tenant", code, out)
	}
	if code, _, errs := runParley(t, "top", "--interval", "1ns", "--data", s.data); code != 1 || !strings.Contains(errs, "--interval") {
		t.Errorf("a short interval: got %d, %s", code, errs)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	live := command(ctx, "top", "--interval", "20ms", "--data", s.data)
	var screen lockedBuffer
	live.Stdout, live.Stderr = &screen, &screen
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two tables", func() bool { return strings.Count(screen.String(), clear+"TENANT") > 1 })
	if err := live.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := live.Wait(); err != nil {
		t.Errorf("^C: got %v, want a clean end\n%s", err, screen.String())
	}
}
