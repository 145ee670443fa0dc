package console

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

func (q *request) newRoomForm() ui.Form {
	return ui.Form{Action: q.base() + "/rooms", Submit: "Make the room", Fields: []ui.Field{
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

// roomForms are the forms of a room's page; one of them may come back with what is wrong.
type roomForms struct{ add, edit, sanction ui.Form }

var roles = []ui.Option{
	{Value: "reader", Label: "reader"},
	{Value: "member", Label: "member"},
	{Value: "poster", Label: "poster"},
	{Value: "moderator", Label: "moderator"},
	{Value: "owner", Label: "owner"},
}

func (q *request) roomForms(room tenant.Room) roomForms {
	path := q.base() + "/rooms/" + string(room.ID)
	slow := ui.Field{Name: "slow_seconds", Label: "Slow mode, in seconds", Value: strconv.Itoa(room.SlowSeconds), Type: "number", Hint: "A user waits this long between two posts. 0: no slow mode."}
	edit := ui.Form{Action: path + "/edit", Submit: "Save", Fields: []ui.Field{slow}}
	if q.may(tenant.ScopeAdmin) {
		edit.Fields = []ui.Field{
			{Name: "title", Label: "Title", Value: room.Title, Optional: true, Autocomplete: "off"},
			slow,
			{Name: "history", Label: "Who joins reads", Value: string(room.History), Options: []ui.Option{
				{Value: string(tenant.ReachAll), Label: "everything, from the beginning"},
				{Value: string(tenant.ReachJoined), Label: "what is posted from then on"},
			}},
		}
	}
	return roomForms{
		edit: edit,
		add: ui.Form{Action: path + "/members", Submit: "Add", Inline: true, Fields: []ui.Field{
			{Name: "user", Label: "User", Autocomplete: "off"},
			{Name: "role", Label: "Role", Value: "member", Options: roles},
		}},
		sanction: sanctionForm(path),
	}
}

func (w *web) showRoom(q *request) (ui.View, error) {
	room, err := w.roomOf(q)
	if err != nil {
		return nil, err
	}
	return w.roomView(q, room, q.roomForms(room))
}

func (w *web) roomOf(q *request) (tenant.Room, error) {
	r, err := q.room()
	if err != nil {
		return tenant.Room{}, err
	}
	return w.c.service.Room(q.Context(), q.actor(), q.tenant, r)
}

func (w *web) roomView(q *request, room tenant.Room, forms roomForms) (ui.View, error) {
	path, own := q.base()+"/rooms/"+string(room.ID), room.Host == "" && room.Kind != tenant.Direct
	v := &ui.Room{
		Page: ui.Page{Title: cmp.Or(room.Title, string(room.ID)), Area: "rooms"}, Base: q.base(), ID: string(room.ID), Kind: string(room.Kind),
		Class: keptFor[room.Class], State: string(room.State), Host: string(room.Host), Slow: int64(room.SlowSeconds), Since: room.CreatedAt,
	}
	if q.may(tenant.ScopeModerate) {
		v.Sanction = &forms.sanction
		if own {
			v.Edit, v.Actions = &forms.edit, q.stateButtons(room)
		}
	}
	if q.may(tenant.ScopeAdmin) && room.Kind != tenant.Direct {
		v.Add = &forms.add
		if own {
			v.Delete = &ui.Button{Action: path + "/delete", Label: "Delete the room", Danger: true}
		}
		if own && room.Kind == tenant.Shared {
			v.Share = q.base() + "/shares?room=" + string(room.ID)
		}
	}
	if err := w.membersOf(q, room, v); err != nil {
		return nil, err
	}
	return v, w.messagesOf(q, room.ID, v)
}

// keptFor says how long a class keeps messages.
var keptFor = map[tenant.Class]string{
	tenant.Std: "as long as the tenant's default says", tenant.Day: "until midnight", tenant.Keep: "for good", tenant.Mem: "for an hour, in memory",
}

// stateButtons are what may be done with the state of a room: moderators freeze, admins archive.
func (q *request) stateButtons(room tenant.Room) []ui.Button {
	path := q.base() + "/rooms/" + string(room.ID)
	on, off := []ui.Option{{Value: "on", Label: "yes"}}, []ui.Option(nil)
	archive := ui.Button{Action: path + "/archive", Label: "Archive", Hidden: on}
	freeze := ui.Button{Action: path + "/freeze", Label: "Freeze", Hidden: on}
	switch room.State {
	case tenant.RoomFrozen:
		freeze.Label, freeze.Hidden = "Unfreeze", off
	case tenant.RoomArchived:
		archive.Label, archive.Hidden = "Take out of the archive", off
	}
	var out []ui.Button
	if room.State != tenant.RoomArchived {
		out = append(out, freeze)
	}
	if q.may(tenant.ScopeAdmin) {
		out = append(out, archive)
	}
	return out
}

// membersOf shows a page of a room's members, and who is muted in it.
func (w *web) membersOf(q *request, room tenant.Room, v *ui.Room) error {
	l, path := q.listing(), q.base()+"/rooms/"+string(room.ID)
	l.path, l.page.Query = path, ""
	members, pager, err := rows(q.Context(), l, func(m tenant.Member) string { return string(m.User) },
		func(ctx ctx, p tenant.Page) ([]tenant.Member, error) {
			return w.c.service.Members(ctx, q.actor(), q.tenant, room.ID, p)
		})
	if err != nil {
		return err
	}
	v.Pager = pager
	for _, m := range members {
		row := ui.MemberRow{ID: string(m.User), Name: m.Name, Role: string(m.Role), State: string(m.State), Since: m.JoinedAt, Until: m.Until, Reason: m.Reason}
		of := path + "/members/" + string(m.User)
		guest := strings.Contains(row.ID, "@")
		if !guest {
			row.Link = q.base() + "/users/" + row.ID
		}
		switch {
		case m.State == tenant.Banned && q.may(tenant.ScopeModerate):
			row.Button = &ui.Button{Action: of + "/unban", Label: "End the ban"}
		case m.State != tenant.Banned && !guest && room.Kind != tenant.Direct && q.may(tenant.ScopeModerate):
			row.Button = &ui.Button{Action: of + "/remove", Label: "Remove"}
		}
		if m.State == tenant.Joined && !guest && v.Add != nil {
			row.Change = &ui.Form{
				Action: path + "/members", Submit: "Set", Inline: true, Hidden: []ui.Option{{Value: "user", Label: row.ID}},
				Fields: []ui.Field{{Name: "role", ID: "-" + row.ID, Label: "Role of " + row.ID, Bare: true, Value: row.Role, Options: roles}},
			}
		}
		v.Members = append(v.Members, row)
	}
	mutes, err := w.c.service.Mutes(q.Context(), q.actor(), q.tenant, room.ID, tenant.Page{Limit: webPage})
	for _, m := range mutes {
		row := ui.MemberRow{ID: string(m.User), Link: q.base() + "/users/" + string(m.User), Since: m.Since, Until: m.Until, Reason: m.Reason}
		if q.may(tenant.ScopeModerate) {
			row.Button = &ui.Button{Action: path + "/members/" + string(m.User) + "/unmute", Label: "Let them post"}
		}
		v.Mutes = append(v.Mutes, row)
	}
	return err
}

func (w *web) doPutMember(q *request) (outcome, error) {
	room, err := w.roomOf(q)
	if err != nil {
		return outcome{}, err
	}
	r, forms := room.ID, q.roomForms(room)
	u, err := tenant.ParseUserID("user", q.typed("user"))
	if err == nil {
		_, err = w.c.service.PutMember(q.Context(), q.actor(), q.tenant, r, u, q.typed("role"))
	}
	if e, ok := tenant.AsError(err); ok && e.Code == tenant.CodeNotFound {
		err = tenant.Invalid("user", "there is no user of this id")
	}
	if err != nil {
		return q.correct(&forms.add, err, func() (ui.View, error) { return w.roomView(q, room, forms) })
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

// doEditRoom changes what the form has: a moderator's slow mode alone.
func (w *web) doEditRoom(q *request) (outcome, error) {
	room, err := w.roomOf(q)
	if err != nil {
		return outcome{}, err
	}
	forms, patch := q.roomForms(room), tenant.RoomPatch{}
	if q.PostForm.Has("title") {
		title := q.typed("title")
		patch.Title = &title
	}
	if q.PostForm.Has("history") {
		history := tenant.Reach(q.typed("history"))
		patch.History = &history
	}
	if q.PostForm.Has("slow_seconds") {
		slow, bad := strconv.Atoi(q.typed("slow_seconds"))
		if bad != nil {
			err = tenant.Invalid("slow_seconds", "must be a number of seconds, 0 for no slow mode")
		}
		patch.SlowSeconds = &slow
	}
	if err == nil {
		_, err = w.c.service.UpdateRoom(q.Context(), q.actor(), q.tenant, room.ID, patch)
	}
	if err != nil {
		return q.correct(&forms.edit, err, func() (ui.View, error) { return w.roomView(q, room, forms) })
	}
	return to(q.base()+"/rooms/"+string(room.ID), "Saved."), nil
}

func (w *web) doFreeze(q *request) (outcome, error) {
	return w.setState(q, w.c.service.FreezeRoom, "The room is frozen: all read, nobody posts.")
}

func (w *web) doArchive(q *request) (outcome, error) {
	return w.setState(q, w.c.service.ArchiveRoom, "The room is in the archive: it is read, and nobody posts.")
}

func (w *web) setState(q *request, set func(context.Context, tenant.Actor, tenant.TenantID, tenant.RoomID, bool) (tenant.Room, error), said string) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	room, err := set(q.Context(), q.actor(), q.tenant, r, q.typed("on") == "yes")
	if room.State == tenant.RoomActive {
		said = "The room is open again."
	}
	return to(q.base()+"/rooms/"+string(r), "%s", said), err
}

func (w *web) doDeleteRoom(q *request) (outcome, error) {
	r, err := q.room()
	if err != nil {
		return outcome{}, err
	}
	return to(q.base()+"/rooms", "The room %s is deleted.", r), w.c.service.DeleteRoom(q.Context(), q.actor(), q.tenant, r)
}
