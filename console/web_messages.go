package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

// messagesOf shows what is pinned in a room, and its newest messages, those before the one that the address
// names, or those that its search finds.
func (w *web) messagesOf(q *request, r tenant.RoomID, v *ui.Room) error {
	path := q.base() + "/rooms/" + string(r)
	pinned, err := w.c.messages.Pinned(q.Context(), q.tenant, r)
	if err != nil {
		return err
	}
	isPinned := map[uint64]bool{}
	for _, m := range pinned {
		isPinned[m.Seq] = true
		v.Pinned = append(v.Pinned, q.messageRow(r, m, true))
	}
	v.Search = ui.Search{Action: path, Query: strings.TrimSpace(q.URL.Query().Get("q")), Label: "Words in messages"}
	if v.Search.Query != "" {
		return w.foundIn(q, r, v, isPinned)
	}
	before, _ := strconv.ParseUint(q.URL.Query().Get("before"), 10, 63) // what is no number shows the newest
	page, err := w.c.messages.History(q.Context(), q.tenant, r, tenant.HistoryQuery{Before: before, Limit: 30})
	if err != nil {
		return err
	}
	if before > 0 {
		v.Newest = path
	}
	if page.More && len(page.Messages) > 0 {
		v.Older = fmt.Sprintf("%s?before=%d", path, page.Messages[0].Seq)
	}
	for _, m := range slices.Backward(page.Messages) {
		v.Messages = append(v.Messages, q.messageRow(r, m, isPinned[m.Seq]))
	}
	return nil
}

// foundIn shows the messages of a room that have the words that are looked for.
func (w *web) foundIn(q *request, r tenant.RoomID, v *ui.Room, isPinned map[uint64]bool) error {
	v.Newest = v.Search.Action
	found, err := w.c.messages.Search(q.Context(), q.tenant, tenant.SearchQuery{
		Query: v.Search.Query, Room: r, Limit: webPage, After: q.URL.Query().Get("after"),
	})
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeInvalid {
		v.SearchError = sentence(cmp.Or(e.Fields["query"], e.Message))
		return nil
	}
	if found.Next != "" {
		v.Older = v.Search.Action + "?" + url.Values{"q": {v.Search.Query}, "after": {found.Next}}.Encode()
	}
	for _, m := range found.Messages {
		row := q.messageRow(r, m.Message, isPinned[m.Seq])
		row.At, row.Link = m.Time, fmt.Sprintf("%s?before=%d", v.Search.Action, m.Seq+1)
		for _, part := range m.Highlights {
			row.Parts = append(row.Parts, ui.TextPart{Text: part.Text, Hit: part.Hit})
		}
		v.Messages = append(v.Messages, row)
	}
	return err
}

// messageRow is a message with what the person may do with it.
func (q *request) messageRow(r tenant.RoomID, m tenant.Message, pinned bool) ui.MessageRow {
	row := ui.MessageRow{
		Seq: m.Seq, Sender: m.Sender, Text: m.Text, At: m.Time, Edited: m.Edited, Deleted: !m.Deleted.IsZero(),
		Replies: int64(m.Replies), Event: eventText(m.Event), Pinned: pinned,
	}
	if m.Sender == tenant.System {
		row.Sender = "Parley"
	}
	for emoji, users := range m.Reactions {
		row.Reactions = append(row.Reactions, fmt.Sprintf("%s %d", emoji, len(users)))
	}
	slices.Sort(row.Reactions)
	if row.Deleted || m.Sender == tenant.System || !q.may(tenant.ScopeModerate) {
		return row
	}
	path := fmt.Sprintf("%s/rooms/%s/messages/%d", q.base(), r, m.Seq)
	pin := ui.Button{Action: path + "/pin", Label: "Pin"}
	if pinned {
		pin = ui.Button{Action: path + "/unpin", Label: "Unpin"}
	}
	row.Actions = []ui.Button{pin, {Action: path + "/delete", Label: "Delete", Danger: true}}
	return row
}

// eventText says what an event tells of: what happened, and to whom.
func eventText(event json.RawMessage) string {
	if len(event) == 0 {
		return ""
	}
	var e struct {
		Event string `json:"event"`
		User  string `json:"user"`
		By    string `json:"by"`
	}
	if json.Unmarshal(event, &e) != nil || e.Event == "" {
		return "event"
	}
	text := e.Event
	if e.User != "" {
		text = e.User + " " + text
	}
	if e.By != "" && e.By != e.User {
		text += " by " + e.By
	}
	return text
}
