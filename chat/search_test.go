package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

// find searches as a user and returns "room:text" of what is found, hits in brackets.
func (s *site) find(u tenant.UserID, request string) []string {
	s.t.Helper()
	var answer searchAnswer
	if err := json.Unmarshal(s.must(u, "search", "%s", request), &answer); err != nil {
		s.t.Fatal(err)
	}
	all := []string{}
	for _, m := range answer.Messages {
		text := string(m.Room) + ":"
		for _, p := range m.Highlights {
			if p.Hit {
				p.Text = "[" + p.Text + "]"
			}
			text += p.Text
		}
		all = append(all, text)
	}
	return all
}

func TestSearchFindsWordsAndPartsOfThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.run(s.chat)
	for _, text := range []string{
		"The Deployment is done, Zoë!", "deploy tomorrow", "오늘 배포했습니다", "明日デプロイします", "部署今天完成了", "ｶﾞﾊﾞｲ ﬁle", "東京タワー 東",
		"<b>bold</b> & deploy", "v1.2 costs 3,50 €", "배포",
	} {
		s.post(town.by("alice"), text)
	}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"deploy", []string{"<b>bold</b> & [deploy]", "[deploy] tomorrow"}},
		{"DEPLOY tomorrow", []string{"[deploy] [tomorrow]"}},
		{"deploy*", []string{"<b>bold</b> & [deploy]", "[deploy] tomorrow", "The [Deployment] is done, Zoë!"}},
		{"zoe", []string{"The Deployment is done, [Zoë]!"}},
		{"ZOË", []string{"The Deployment is done, [Zoë]!"}},
		{"배포", []string{"[배포]", "오늘 [배포]했습니다"}},
		{"포했습", []string{"오늘 배[포했습]니다"}},
		{"배했", nil},
		{"デプロイ", []string{"明日[デプロイ]します"}},
		{"プロ", []string{"明日デ[プロ]イします"}},
		{"日デ", []string{"明[日デ]プロイします"}},
		{"完成", []string{"部署今天[完成]了"}},
		{"了", []string{"部署今天完成[了]"}},
		{"ガバイ", []string{"[ｶﾞﾊﾞｲ] ﬁle"}},
		{"file", []string{"ｶﾞﾊﾞｲ [ﬁle]"}},
		{"タワー", []string{"東京[タワー] 東"}},
		{"東", []string{"[東]京タワー [東]"}},
		{"東タ", nil},
		{"50", []string{"v1.2 costs 3,[50] €"}},
		{"nothing", nil},
		{"deploy nothing", nil},
		{"b bold", []string{"<[b]>[bold]</[b]> & deploy"}},
	} {
		want := []string{}
		for _, w := range c.want {
			want = append(want, "town:"+w)
		}
		if got := s.find("bob", fmt.Sprintf(`{"query":%q}`, c.query)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", c.query, got, want)
		}
	}
	for _, query := range []string{"", " ", "*", "***", "%", "_", "?!", "a*", "👍", "<>", "' & |", strings.Repeat("x", 201), strings.Repeat("a ", 17)} {
		answer, code := s.op("bob", "search", fmt.Sprintf(`{"query":%q}`, query))
		if code != tenant.CodeInvalid || !strings.Contains(string(answer), `"query"`) {
			t.Errorf("%q: got %s, want a refusal of the query", query, answer)
		}
	}
	// What would be syntax to Postgres is text.
	for _, query := range []string{"x' | 'y", `a\'b`, "deploy:*", "!deploy & (tomorrow)", "x <-> y"} {
		if _, code := s.op("bob", "search", fmt.Sprintf(`{"query":%q}`, query)); code != "" {
			t.Errorf("%q: got %s, want an answer", query, code)
		}
	}
	if got := s.find("bob", `{"query":"deploy","limit":1}`); len(got) != 1 {
		t.Errorf("got %q, want one", got)
	}
	if _, code := s.op("bob", "search", `{"query":"deploy","limit":101}`); code != tenant.CodeInvalid {
		t.Errorf("a limit of 101: got code %q, want invalid", code)
	}
}

func TestSearchShowsOnlyWhatMayBeRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	club := s.room("club", tenant.Private, tenant.Keep)
	late := s.room("late", tenant.Private, tenant.Std)
	s.ensure(tenant.Keep)
	pair := venue{"alice.carol", tenant.Direct, tenant.Std}
	s.exec(`UPDATE rooms SET history = 'joined' WHERE room_id = 'late'`)
	s.member("club", "alice", tenant.RoleMember, tenant.Joined)
	s.member("club", "carol", tenant.RoleMember, tenant.Invited)
	s.member("town", "carol", tenant.RoleMember, tenant.Banned)
	s.member("late", "alice", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	s.post(town.by("alice"), "needle town")
	s.post(club.by("alice"), "needle club")
	s.post(pair.by("alice"), "needle pair")
	s.post(late.by("alice"), "needle early")
	s.texts("late")
	s.member("late", "bob", tenant.RoleMember, tenant.Joined)
	s.post(late.by("alice"), "needle since")
	for _, c := range []struct {
		as   tenant.UserID
		want []string
	}{
		{"alice", []string{"late:[needle] since", "late:[needle] early", "alice.carol:[needle] pair", "club:[needle] club", "town:[needle] town"}},
		{"bob", []string{"late:[needle] since", "town:[needle] town"}},
		{"carol", []string{"alice.carol:[needle] pair"}},
		{"bot", []string{"late:[needle] since", "late:[needle] early", "club:[needle] club", "town:[needle] town"}},
	} {
		if got := s.find(c.as, `{"query":"needle"}`); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.as, got, c.want)
		}
	}
	if got := s.find("alice", `{"query":"needle","room":"club"}`); !slices.Equal(got, []string{"club:[needle] club"}) {
		t.Errorf("in one room: got %q", got)
	}
	for _, room := range []string{"club", "nowhere", "alice.carol"} {
		if answer, code := s.op("bob", "search", `{"query":"needle","room":"`+room+`"}`); code != tenant.CodeNotFound {
			t.Errorf("bob in %s: got %s, want not found", room, answer)
		}
	}
	// The tenant itself sees all, or what one of its users sees.
	all, err := s.chat.Search(s.ctx(), "acme", tenant.SearchQuery{Query: "needle"})
	if err != nil || len(all.Messages) != 5 {
		t.Errorf("the tenant: got %d, %v, want all 5", len(all.Messages), err)
	}
	his, err := s.chat.Search(s.ctx(), "acme", tenant.SearchQuery{Query: "needle", As: "bob"})
	if err != nil || len(his.Messages) != 2 {
		t.Errorf("as bob: got %d, %v, want 2", len(his.Messages), err)
	}
	if _, err = s.chat.Search(s.ctx(), "acme", tenant.SearchQuery{Query: "needle", As: "rex"}); codeOf(err) != tenant.CodeInvalid {
		t.Errorf("as a revoked user: got %v, want invalid", err)
	}
	if other, err := s.chat.Search(s.ctx(), "other", tenant.SearchQuery{Query: "needle"}); err != nil || len(other.Messages) != 0 {
		t.Errorf("another tenant: got %v, %v, want nothing", other, err)
	}
	// History and unread counts begin where reading does.
	var page tenant.HistoryPage
	if err := json.Unmarshal(s.must("bob", "history", `{"room":"late"}`), &page); err != nil || len(page.Messages) != 1 {
		t.Errorf("history: got %+v, %v, want what was stored since bob joined", page.Messages, err)
	}
	if v := s.unread("bob", "late"); v.Unread != 1 || v.First != page.Messages[0].Seq {
		t.Errorf("got %+v, want 1 unread", v)
	}
	var answer searchAnswer
	if err := json.Unmarshal(s.must("bob", "search", `{"query":"tow"}`), &answer); err != nil || len(answer.Rooms) != 1 || answer.Rooms[0].ID != "town" {
		t.Errorf("rooms: got %+v, %v, want town", answer.Rooms, err)
	}
}

func TestSearchFollowsEditsAndDeletes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	before := s.post(town.by("alice"), "apple")
	s.store(town.by(tenant.System).Stored(s.tenant.Account), fmt.Sprintf(`{"event":"edited","by":"alice","seq":%d,"text":"banana"}`, before), nil)
	s.run(s.chat)
	wantFound := func(query string, want ...string) {
		t.Helper()
		if want == nil {
			want = []string{}
		}
		if got := s.find("bob", `{"query":"`+query+`"}`); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	wantFound("apple")
	wantFound("banana", "town:[banana]")
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"cherry"}`, before)
	wantFound("banana")
	wantFound("cherry", "town:[cherry]")
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"?!"}`, before)
	wantFound("cherry")
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"cherry"}`, before)
	s.must("alice", "delete", `{"room":"town","seq":%d}`, before)
	wantFound("cherry")
	kept := s.post(town.by("alice"), "damson")
	wantFound("damson", "town:[damson]")
	s.exec(`DELETE FROM messages WHERE seq = $1`, kept)
	wantFound("damson")
	if n := query[int](s, `SELECT count(*) FROM message_words`); n != 0 {
		t.Errorf("got words of %d messages, want none", n)
	}
}

func TestExcerptsAreCutAtCharacters(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("ä ", 400) + "needle" + strings.Repeat(" ö", 400) + " needle"
	terms, err := parseQuery("needle")
	if err != nil {
		t.Fatal(err)
	}
	hits, ok := matches(terms, text)
	if !ok || len(hits) != 2 {
		t.Fatalf("got %v, want two hits", hits)
	}
	var all string
	for _, p := range excerpt(text, hits) {
		if p.Hit != (p.Text == "needle") {
			t.Errorf("got the part %+v", p)
		}
		all += p.Text
	}
	if len(all) > maxExcerpt+8 || !strings.HasPrefix(all, "…") || !strings.HasSuffix(all, "…") || strings.ContainsRune(all, '\ufffd') {
		t.Errorf("got %q", all)
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("deploy*", "The Deployment")
	f.Add("포했습", "오늘 배포했습니다")
	f.Add("ガ", "ｶﾞﾊﾞｲ")
	f.Fuzz(func(t *testing.T, query, text string) {
		terms, err := parseQuery(query)
		if err != nil {
			return
		}
		s := scopeOf("acme")
		if words := s.words(1, text); strings.Contains(words, "'") || strings.Contains(s.tsquery(terms, nil), "''") {
			t.Errorf("got the words %q and the query %q, want nothing to quote", words, s.tsquery(terms, nil))
		}
		hits, _ := matches(terms, text)
		all := ""
		for _, p := range excerpt(text, hits) {
			all += strings.TrimPrefix(p.Text, "…")
		}
		if len(text) <= maxExcerpt && !strings.Contains(text, "…") && all != text {
			t.Errorf("got the excerpt %q of %q, want all of it", all, text)
		}
	})
}
