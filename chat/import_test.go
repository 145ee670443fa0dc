package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/tenant"
)

// export is a room as NDJSON.
func (s *site) export(r tenant.RoomID, after uint64) string {
	s.t.Helper()
	var all strings.Builder
	err := s.chat.ExportRoom(s.ctx(), "acme", r, after, func(v any) error { return json.NewEncoder(&all).Encode(v) })
	if err != nil {
		s.t.Fatalf("ExportRoom: %v", err)
	}
	return all.String()
}

func TestRoomIsImportedAsItWasExported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ensure(tenant.Keep)
	town, copied := s.room("town", tenant.Open, tenant.Std), s.room("copy", tenant.Open, tenant.Keep)
	s.run(s.chat)
	s.serving()
	root := s.post(town.by("alice"), "grüße <b>")
	s.store(town.by("bob").Stored(s.tenant.Account), fmt.Sprintf(`{"text":"reply","thread":%d,"mentions":["alice"],
		"attachments":[{"url":"https://x.example/a","size":7}],"data":{"k":1}}`, root), nil)
	gone := s.post(town.by("carol"), "deleted")
	s.texts("town")
	if answer, raw := s.ask("carol", "delete", fmt.Sprintf(`{"room":"town","seq":%d}`, gone)); answer["ok"] != true {
		t.Fatalf("delete: %s", raw)
	}
	lines := s.export("town", 0)
	for i, want := range []tenant.Imported{{Imported: 3, Skipped: 1, Line: 5}, {Doubles: 3, Skipped: 1, Line: 5}} {
		got, err := s.chat.ImportRoom(s.ctx(), "acme", "copy", []byte(lines), 1)
		if err != nil || got != want {
			t.Fatalf("import %d of\n%s: got %+v, %v, want %+v", i, lines, got, err, want)
		}
	}
	page, err := s.chat.History(s.ctx(), "acme", "copy", tenant.HistoryQuery{})
	if err != nil || len(page.Messages) != 3 {
		t.Fatalf("got %+v, %v, want 3 messages", page, err)
	}
	source, err := s.chat.History(s.ctx(), "acme", "town", tenant.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range page.Messages {
		want := source.Messages[i]
		want.Seq, want.N = m.Seq, 0
		if want.Thread > 0 {
			want.Thread = page.Messages[0].Seq
		}
		if got, exp := fmt.Sprintf("%+v", m), fmt.Sprintf("%+v", want); got != exp {
			t.Errorf("message %d: got %s, want %s", i, got, exp)
		}
	}
	if page.Messages[0].Replies != 1 {
		t.Errorf("the root has %d replies, want 1", page.Messages[0].Replies)
	}
	// Nothing of it is unread, and what is posted then follows it and is.
	if got := s.unread("bob", "copy").Unread; got != 0 {
		t.Errorf("bob has %d unread, want 0", got)
	}
	posted := s.post(copied.by("alice"), "new")
	s.texts("copy")
	if got := s.unread("bob", "copy"); got.Unread != 1 || got.First != posted {
		t.Errorf("bob has %d unread, the first %d, want 1 and %d", got.Unread, got.First, posted)
	}
	if answer, raw := s.ask("bob", "search", `{"query":"grüße","room":"copy"}`); !strings.Contains(raw, "grüße") {
		t.Errorf("search: got %v", answer)
	}
	if again := s.export("copy", page.Messages[1].Seq); strings.Count(again, "\n") != 2 {
		t.Errorf("an export that goes on: got %s, want the last two", again)
	}
	if _, err = s.chat.ImportRoom(s.ctx(), "acme", "copy", []byte(strings.ReplaceAll(lines, `"seq":`, `"seq":9`)), 1); codeOf(err) != tenant.CodeInvalid {
		// older than what was posted, but not in order: the same times again follow, so this is refused by the newest imported one
		t.Errorf("import out of order: got %v, want invalid", err)
	}
}

func TestBrokenLinesAreToldAndNothingIsImported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ensure(tenant.Keep)
	town := s.room("town", tenant.Open, tenant.Keep)
	s.room("fresh", tenant.Open, tenant.Std)
	s.run(s.chat)
	old := func(seq int, more string) string {
		return fmt.Sprintf(`{"seq":%d,"sender":"alice","time":"2020-01-01T00:00:%02dZ","text":"m%d"%s}`, seq, seq, seq, more)
	}
	posted := s.post(town.by("alice"), "posted")
	s.texts("town")
	for name, c := range map[string]struct {
		room  tenant.RoomID
		lines string
		want  map[string]string // a part of what is said of each line
	}{
		"no JSON, a stranger, a thread of the future": {
			"town", old(1, "") + "\n{\n\n" + strings.Replace(old(2, ""), "alice", "zoe", 1) + "\n" + old(3, `,"thread":4`),
			map[string]string{"line 11": "not the JSON", "line 14": "earlier message"},
		},
		"a stranger":         {"town", strings.Replace(old(2, ""), "alice", "zoe", 1), map[string]string{"line 10": "no user zoe"}},
		"unknown field":      {"town", old(1, `,"x":1`), map[string]string{"line 10": "x"}},
		"no time":            {"town", `{"seq":1,"sender":"alice","text":"x"}`, map[string]string{"line 10": "time"}},
		"no seq":             {"town", `{"sender":"alice","time":"2020-01-01T00:00:00Z","text":"x"}`, map[string]string{"line 10": "seq"}},
		"no text":            {"town", `{"seq":1,"sender":"alice","time":"2020-01-01T00:00:00Z","text":""}`, map[string]string{"line 10": "text"}},
		"out of order":       {"town", old(2, "") + "\n" + old(1, ""), map[string]string{"line 11": "time"}},
		"after the posts":    {"town", `{"seq":1,"sender":"alice","time":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","text":"x"}`, map[string]string{"line 10": "must be before"}},
		"the future":         {"fresh", `{"seq":1,"sender":"alice","time":"2100-01-01T00:00:00Z","text":"x"}`, map[string]string{"line 10": "future"}},
		"beyond the class's": {"fresh", old(1, ""), map[string]string{"line 10": "keep"}},
	} {
		_, err := s.chat.ImportRoom(s.ctx(), "acme", c.room, []byte(c.lines), 10)
		e, ok := tenant.AsError(err)
		if !ok || e.Code != tenant.CodeInvalid || len(e.Fields) != len(c.want) {
			t.Errorf("%s: got %v %v, want %v", name, err, e, c.want)
			continue
		}
		for line, part := range c.want {
			if !strings.Contains(e.Fields[line], part) {
				t.Errorf("%s: %s: got %q, want %q in it", name, line, e.Fields[line], part)
			}
		}
	}
	if n := query[int](s, `SELECT count(*) FROM messages WHERE seq <> $1`, posted); n != 0 {
		t.Errorf("%d lines of broken batches were imported", n)
	}
	// In pieces, and again from the middle.
	var all []string
	for i := 1; i <= 9; i++ {
		all = append(all, old(i, ""))
	}
	for _, from := range []int{1, 4, 7, 4} {
		if _, err := s.chat.ImportRoom(s.ctx(), "acme", "town", []byte(strings.Join(all[from-1:from+2], "\n")), from); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"0:m1", "0:m2", "0:m3", "0:m4", "0:m5", "0:m6", "0:m7", "0:m8", "0:m9", "1:posted"}
	s.wantTexts("town", want...)
}

// A bound of a class's bytes takes the stream's oldest, and no imported message.
func TestRetentionLeavesImportedMessagesToTheirAge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	setClock := s.setClock()
	stop := s.run(s.chat)
	yesterday := time.Now().Add(-24 * time.Hour).UTC()
	line := fmt.Sprintf(`{"seq":1,"sender":"alice","time":%q,"text":"imported"}`, yesterday.Format(time.RFC3339))
	if _, err := s.chat.ImportRoom(s.ctx(), "acme", "town", []byte(line), 1); err != nil {
		t.Fatal(err)
	}
	s.post(town.by("alice"), "m1")
	second := s.post(town.by("alice"), "m2")
	s.wantTexts("town", "0:imported", "1:m1", "2:m2")
	if err := s.chat.purgeBefore(s.ctx(), "std-"+s.tenant.Account, second); err != nil {
		t.Fatal(err)
	}
	s.eventually("the stream's loss is followed", func() bool { return len(s.texts("town")) == 2 })
	s.wantTexts("town", "0:imported", "2:m2")
	stop()
	setClock(yesterday.Add(s.tenant.Retention.Age(tenant.Std) + time.Hour))
	s.run(s.chat)
	s.eventually("age takes it", func() bool { return len(s.texts("town")) == 1 })
}
