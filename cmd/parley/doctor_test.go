package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"parley/internal/certtest"
)

// diagnosis is parley doctor with its exit code, and the names of what is at fault.
func (s *server) diagnosis(args ...string) (code int, text string, faults []string) {
	s.t.Helper()
	code, out, errs := runParley(s.t, append([]string{"doctor", "--data", s.data, "--json"}, args...)...)
	var f findings
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		s.t.Fatalf("got %q, %q (%v), want JSON", out, errs, err)
	}
	for _, c := range f.Checks {
		if !c.OK {
			faults = append(faults, c.Name)
		}
	}
	if f.OK != (len(faults) == 0) || (code == 0) != f.OK {
		s.t.Errorf("got code %d, ok %v and faults %v, which don't fit", code, f.OK, faults)
	}
	return code, out, faults
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	ca := certtest.NewCA(t, "Test CA")
	cert, key := certtest.Files(t, ca.Server(t))
	s := serve(t, "--tls-cert", cert, "--tls-key", key)
	s.http = trusting(ca)
	furnish(s, "acme")
	_, text, faults := s.diagnosis()
	if !slices.Equal(faults, []string{"certificate"}) { // it is one for an hour
		t.Fatalf("got %s, want nothing at fault but the certificate", text)
	}
	for _, want := range []string{"1 of 1 answer", "newest claims", "streams are projected", "none failed", "answers in", "are free", "sealed entries are as they were"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %q in it", text, want)
		}
	}
	_, err := s.database().Exec(t.Context(), `INSERT INTO river_job (kind, state, args, max_attempts, attempt, errors, finalized_at)
		VALUES ('push_claims', 'discarded', '{}', 3, 3, ARRAY['{"error": "no server"}'::jsonb], now())`)
	if err != nil {
		t.Fatal(err)
	}
	if _, text, faults := s.diagnosis(); !slices.Equal(faults, []string{"jobs", "certificate"}) {
		t.Errorf("with a job that failed: got %s", text)
	}
	code, out, errs := runParley(t, "doctor", "--data", s.data)
	if code != 1 || !strings.Contains(out, "FAULT  jobs") || !strings.Contains(out, "-> They are tried again") || !strings.Contains(errs, "2 of 9 checks found a fault") {
		t.Errorf("as text: got %d, %s%s", code, out, errs)
	}
	if code, _, errs := runParley(t, "doctor", "--data", s.data, "--token", "none"); code != 1 || strings.Contains(errs, "checks") {
		t.Errorf("with a wrong token: got %d, %s, want the refusal", code, errs)
	}
	s.stop()
	if code, text, faults := s.diagnosis(); code != 1 || !slices.Equal(faults, []string{"server"}) {
		t.Errorf("without a server: got %d, %s", code, text)
	}
	if code, text, faults := s.diagnosis("--server", s.HTTP, "--token", s.token); code != 1 || !slices.Equal(faults, []string{"server"}) {
		t.Errorf("at an address where nobody is: got %d, %s", code, text)
	}
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	furnish(s, "acme")
	if code, text, _ := s.diagnosis(); code != 0 {
		t.Errorf("got %d, %s, want a clean bill", code, text)
	}
	code, out, _ := runParley(t, "doctor", "--data", s.data)
	if lines := strings.Count(out, "\n"); code != 0 || lines != 9 || strings.Contains(out, "FAULT") {
		t.Errorf("got %d and %s, want nine lines without a fault", code, out)
	}
}
