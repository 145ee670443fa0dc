package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"parley/console/ui"
	"parley/tenant"
)

func (q *request) newRoomForm() ui.Form {
	return ui.Form{Action: q.base() + "/rooms", Submit: "Make the room", Once: newOnce(), Fields: []ui.Field{
		{Name: "id", Label: "Id", Autocomplete: "off", Hint: "Stands in subjects and stays for ever: a-z, 0-9, - and _."},
		{Name: "title", Label: "Title", Optional: true, Autocomplete: "off"},
		{Name: "kind", Label: "Who is in it", Value: "open", Options: []ui.Option{
			{Value: "open", Label: "open: all users read and post"},
			{Value: "private", Label: "private: its members"},
			{Value: "announce", Label: "announce: all read, named users post"},
			{Value: "shared", Label: "shared: its members, of other tenants too"},
		}},
		{Name: "class", Label: "How long messages are kept", Value: "std", Options: []ui.Option{
			{Value: "std", Label: "std: the tenant's default"},
			{Value: "day", Label: "day: until midnight in the tenant's time zone"},
			{Value: "keep", Label: "keep: no age limit"},
			{Value: "mem", Label: "mem: in memory, for an hour"},
		}},
	}}
}

func (w *web) showRooms(q *request) (ui.View, error) {
	form := q.newRoomForm()
	return w.roomsView(q, form, false)
}

func (w *web) roomsView(q *request, form ui.Form, open bool) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(r tenant.Room) string { return string(r.ID) },
		func(ctx ctx, p tenant.Page) ([]tenant.Room, error) {
			return w.c.service.Rooms(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Rooms{
		Page: ui.Page{Title: "Rooms", Area: "rooms"}, ID: string(q.tenant), Search: l.search("Id or title"), Pager: pager,
		New: form, May: q.may(tenant.ScopeAdmin), Open: open || len(items) == 0 && l.page.Query == "",
	}
	for _, r := range items {
		v.Rows = append(v.Rows, ui.RoomRow{
			Link: q.base() + "/rooms/" + string(r.ID), ID: string(r.ID), Title: r.Title, Kind: string(r.Kind),
			Class: string(r.Class), State: string(r.State), Members: int64(r.Members),
		})
	}
	return v, nil
}

func (w *web) doNewRoom(q *request) (outcome, error) {
	form := q.newRoomForm()
	room, err := w.c.service.CreateRoom(q.Context(), q.actor(), q.tenant, tenant.NewRoom{
		ID: q.typed("id"), Title: q.typed("title"), Kind: q.typed("kind"), Class: q.typed("class"),
	})
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeConflict && len(e.Fields) == 0 { // nothing else of a new room is taken
		err = &tenant.Error{Code: e.Code, Message: e.Message, Fields: map[string]string{"id": e.Message}}
	}
	if err != nil {
		return q.correct(&form, err, func() (ui.View, error) { return w.roomsView(q, form, true) })
	}
	return to(q.base()+"/rooms/"+string(room.ID), "The room is there."), nil
}

// room is the room of the path.
func (q *request) room() (tenant.RoomID, error) {
	r, err := tenant.ParseRoomID("room", q.PathValue("room"))
	if err != nil {
		return "", tenant.NotFound("room")
	}
	return r, nil
}

func (q *request) memberForm(r tenant.RoomID) ui.Form {
	return ui.Form{Action: q.base() + "/rooms/" + string(r) + "/members", Submit: "Add", Inline: true, Fields: []ui.Field{
		{Name: "user", Label: "User", Autocomplete: "off"},
		{Name: "role", Label: "Role", Value: "member", Options: []ui.Option{
			{Value: "reader", Label: "reader"},
			{Value: "member", Label: "member"},
			{Value: "poster", Label: "poster"},
			{Value: "moderator", Label: "moderator"},
			{Value: "owner", Label: "owner"},
		}},
	}}
}

func (q *request) renameForm(room tenant.Room) ui.Form {
	return ui.Form{Action: q.base() + "/rooms/" + string(room.ID) + "/title", Submit: "Change", Inline: true, Fields: []ui.Field{
		{Name: "title", Label: "Title", Value: room.Title, Optional: true, Autocomplete: "off"},
	}}
}

func (w *web) showRoom(q *request) (ui.View, error) {
	r, err := q.room()
	if err != nil {
		return nil, err
	}
	return w.roomView(q, r, q.memberForm(r), nil)
}

func (w *web) roomView(q *request, r tenant.RoomID, add ui.Form, rename *ui.Form) (ui.View, error) {
	room, err := w.c.service.Room(q.Context(), q.actor(), q.tenant, r)
	if err != nil {
		return nil, err
	}
	l, path := q.listing(), q.base()+"/rooms/"+string(r)
	l.path = path
	members, pager, err := rows(q.Context(), l, func(m tenant.Member) string { return string(m.User) },
		func(ctx ctx, p tenant.Page) ([]tenant.Member, error) {
			return w.c.service.Members(ctx, q.actor(), q.tenant, r, p)
		})
	if err != nil {
		return nil, err
	}
	title := room.Title
	if title == "" {
		title = string(room.ID)
	}
	v := &ui.Room{
		Page: ui.Page{Title: title, Area: "rooms"}, Base: q.base(), ID: string(r), Kind: string(room.Kind), Class: string(room.Class),
		State: string(room.State), Since: room.CreatedAt, Pager: pager, Add: add, Rename: q.renameForm(room), May: q.may(tenant.ScopeAdmin) && room.Kind != tenant.Direct,
		Delete: ui.Button{Action: path + "/delete", Label: "Delete the room", Danger: true},
	}
	if rename != nil {
		v.Rename = *rename
	}
	for _, m := range members {
		v.Members = append(v.Members, ui.MemberRow{
			Link: q.base() + "/users/" + string(m.User), ID: string(m.User), Name: m.Name, Role: string(m.Role), State: string(m.State), Since: m.JoinedAt,
			Remove: ui.Button{Action: path + "/members/" + string(m.User) + "/remove", Label: "Remove"},
		})
	}
	return v, w.messagesOf(q, r, v)
}

// messagesOf shows the newest messages of a room, or those before the one that the address names.
func (w *web) messagesOf(q *request, r tenant.RoomID, v *ui.Room) error {
	before, _ := strconv.ParseUint(q.URL.Query().Get("before"), 10, 63) // what is no number shows the newest
	page, err := w.c.messages.History(q.Context(), q.tenant, r, tenant.HistoryQuery{Before: before, Limit: 30})
	if err != nil {
		return err
	}
	path := q.base() + "/rooms/" + string(r)
	if before > 0 {
		v.Newest = path
	}
	if page.More && len(page.Messages) > 0 {
		v.Older = fmt.Sprintf("%s?before=%d", path, page.Messages[0].Seq)
	}
	for _, m := range slices.Backward(page.Messages) {
		row := ui.MessageRow{
			Seq: m.Seq, Sender: m.Sender, Text: m.Text, At: m.Time, Edited: !m.Edited.IsZero(), Deleted: !m.Deleted.IsZero(),
			Replies: int64(m.Replies), Event: eventText(m.Event),
		}
		if m.Sender == tenant.System {
			row.Sender = "Parley"
		}
		for emoji, users := range m.Reactions {
			row.Reactions = append(row.Reactions, fmt.Sprintf("%s %d", emoji, len(users)))
		}
		slices.Sort(row.Reactions)
		v.Messages = append(v.Messages, row)
	}
	return nil
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

func (w *web) doPutMember(q *request) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	form := q.memberForm(r)
	again := func() (ui.View, error) { return w.roomView(q, r, form, nil) }
	u, err := tenant.ParseUserID("user", q.typed("user"))
	if err == nil {
		_, err = w.c.service.PutMember(q.Context(), q.actor(), q.tenant, r, u, q.typed("role"))
	}
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeNotFound {
		if _, missing := w.c.service.Room(q.Context(), q.actor(), q.tenant, r); missing != nil {
			return outcome{}, missing
		}
		err = tenant.Invalid("user", "there is no user of this id")
	}
	if err != nil {
		return q.correct(&form, err, again)
	}
	return to(q.base()+"/rooms/"+string(r), "%s is %s now.", u, q.typed("role")), nil
}

func (w *web) doRemoveMember(q *request) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	u, err := q.user()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/rooms/"+string(r), "%s is out of the room.", u), w.c.service.RemoveMember(q.Context(), q.actor(), q.tenant, r, u, q.typed("reason"))
}

func (w *web) doRenameRoom(q *request) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	title := q.typed("title")
	if _, err := w.c.service.UpdateRoom(q.Context(), q.actor(), q.tenant, r, tenant.RoomPatch{Title: &title}); err != nil {
		form := q.renameForm(tenant.Room{ID: r})
		return q.correct(&form, err, func() (ui.View, error) { return w.roomView(q, r, q.memberForm(r), &form) })
	}
	return to(q.base()+"/rooms/"+string(r), "The title is changed."), nil
}

func (w *web) doDeleteRoom(q *request) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/rooms", "The room %s is deleted.", r), w.c.service.DeleteRoom(q.Context(), q.actor(), q.tenant, r)
}
