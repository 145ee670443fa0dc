package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/tenant"
)

// A missedPage is a room in the answer of the operation.
type missedPage struct {
	Room tenant.RoomID `json:"room"`
	tenant.HistoryPage
	Code tenant.Code `json:"code"`
}

// missed asks for what is new in rooms.
func (s *site) missed(u tenant.UserID, limit int, after map[tenant.RoomID]uint64, rooms ...tenant.RoomID) []missedPage {
	s.t.Helper()
	var places []string
	for _, r := range rooms {
		places = append(places, fmt.Sprintf(`{"room":%q,"after":%d}`, r, after[r]))
	}
	var answer struct{ Rooms []missedPage }
	text := s.must(u, "missed", `{"rooms":[%s],"limit":%d}`, strings.Join(places, ","), limit)
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Rooms) != len(rooms) {
		s.t.Fatalf("missed: got %.300s, %v, want %d rooms", text, err, len(rooms))
	}
	return answer.Rooms
}

// told is a page in words: its texts, a plus where there is more, or its code.
func (p *missedPage) told() string {
	var words []string
	for _, m := range p.Messages {
		words = append(words, m.Text)
	}
	if p.More {
		words = append(words, "+")
	}
	if p.Code != "" {
		words = append(words, string(p.Code))
	}
	return strings.Join(words, " ")
}

func TestMissedMessagesOfSeveralRoomsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	side := s.room("side", tenant.Open, tenant.Std)
	club := s.room("club", tenant.Private, tenant.Std)
	s.room("empty", tenant.Open, tenant.Std)
	s.member("club", "bob", tenant.RoleMember, tenant.Joined)
	s.run(s.chat)
	after := map[tenant.RoomID]uint64{}
	for i := 1; i <= 5; i++ {
		seq := s.post(town.by("bob"), fmt.Sprint(i))
		if i == 2 {
			after["town"] = seq
		}
	}
	s.post(side.by("bob"), "a")
	s.post(club.by("bob"), "secret")
	s.post(venue{"alice.bob", tenant.Direct, tenant.Std}.by("bob"), "psst") // makes the room
	var got []string
	for _, p := range s.missed("alice", 2, after, "side", "alice.bob", "club", "nowhere", "town", "empty") {
		got = append(got, string(p.Room)+": "+p.told())
	}
	want := []string{"side: a", "alice.bob: psst", "club: not_found", "nowhere: not_found", "town: 3 4 +", "empty: "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMissedMessagesThatDoNotFitComeLater(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rooms := []tenant.RoomID{"a", "b", "c"}
	const each = 150 // of three kilobytes: the answer has space for two rooms and a bit
	s.run(s.chat)
	for _, r := range rooms {
		room := s.room(r, tenant.Open, tenant.Std)
		for i := range each {
			s.post(room.by("bob"), fmt.Sprintf("%03d", i)+strings.Repeat("\"", 1500))
		}
	}
	after, read := map[tenant.RoomID]uint64{}, map[tenant.RoomID]int{}
	for asked := 1; ; asked++ {
		more := false
		for _, p := range s.missed("alice", 1000, after, rooms...) {
			for _, m := range p.Messages {
				if want := fmt.Sprintf("%03d", read[p.Room]); m.Text[:3] != want {
					t.Fatalf("%s: got message %s, want %s", p.Room, m.Text[:3], want)
				}
				read[p.Room]++
				after[p.Room] = m.Seq
			}
			more = more || p.More
		}
		if !more {
			if asked < 2 {
				t.Errorf("all came at once, want it to take more than one answer")
			}
			break
		}
	}
	for _, r := range rooms {
		if read[r] != each {
			t.Errorf("%s: got %d messages, want %d", r, read[r], each)
		}
	}
}

// TestEncodedHistoryIsThatOfMessages holds the two ways to a page beside one another.
func TestEncodedHistoryIsThatOfMessages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	town := s.room("town", tenant.Open, tenant.Std)
	s.member("town", "alice", tenant.RoleOwner, tenant.Joined)
	s.run(s.chat)
	to := town.by("alice").Stored(s.tenant.Account)
	root := s.store(to, `{"text":"root"}`, nil).Seq
	for _, text := range []string{"", " ", `a "quote" \ and <b>&amp;`, "tab\tline\nbell\u0007", "\u2028 é 😀 한국"} {
		body, err := json.Marshal(map[string]any{"text": text, "thread": root})
		if err != nil {
			t.Fatal(err)
		}
		s.store(to, string(body), nil)
	}
	edited := s.store(to, `{"text":"before","mentions":["bob"],"data":{"k":[1,{"z":null}]},"attachments":[{"url":"https://x.example/a"}]}`, nil).Seq
	deleted := s.store(to, `{"text":"gone"}`, nil).Seq
	s.must("alice", "edit", `{"room":"town","seq":%d,"text":"after <b>"}`, edited)
	s.must("alice", "react", `{"room":"town","seq":%d,"emoji":"👍"}`, edited)
	s.must("alice", "delete", `{"room":"town","seq":%d}`, deleted)
	for _, c := range []struct {
		asked string
		q     tenant.HistoryQuery
	}{
		{`"limit":100`, tenant.HistoryQuery{Limit: 100}},
		{`"limit":3`, tenant.HistoryQuery{Limit: 3}},
		{fmt.Sprintf(`"after":%d,"limit":4`, root), tenant.HistoryQuery{After: root, Limit: 4}},
		{fmt.Sprintf(`"before":%d,"limit":2`, edited), tenant.HistoryQuery{Before: edited, Limit: 2}},
		{fmt.Sprintf(`"thread":%d`, root), tenant.HistoryQuery{Thread: root}},
		{fmt.Sprintf(`"before":%d`, root), tenant.HistoryQuery{Before: root}},
	} {
		want, err := s.chat.History(s.ctx(), "acme", "town", c.q)
		if err != nil {
			t.Fatal(err)
		}
		var got tenant.HistoryPage
		text := s.must("alice", "history", `{"room":"town",%s}`, c.asked)
		if err = json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		// The column keeps data with spaces, an answer has none.
		if fmt.Sprintf("%+v", canonical(t, got)) != fmt.Sprintf("%+v", canonical(t, want)) {
			t.Errorf("%s: got %+v, want %+v", c.asked, got, want)
		}
	}
}

// canonical is a page as any JSON, so that spaces within it make no difference.
func canonical(t *testing.T, p tenant.HistoryPage) (v any) {
	t.Helper()
	text, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestColumnsOfAMessageAreWhereTheyAreRead: plainOf counts on their order.
func TestColumnsOfAMessageAreWhereTheyAreRead(t *testing.T) {
	t.Parallel()
	want := []string{
		columnSeq: "m.seq", columnN: "m.n", columnSender: "m.sender", columnAt: "m.at", columnText: "m.text", columnThread: "m.thread", columnReplies: "m.replies",
		columnsOfPlain: "m.reactions", "m.mentions", "m.attachments", "m.data", "m.edited_at", "m.deleted_at", "m.event",
	}
	clean := strings.NewReplacer("coalesce(", "", ", 0)", "", "\n", "", "\t", "", " ", "")
	if got := strings.Split(clean.Replace(sqlMessageColumns), ","); !slices.Equal(got, want) {
		t.Errorf("got the columns %q, want %q", got, want)
	}
}
