package console

import (
	"encoding/json"
	"net/http"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

// chatter is the user whom the address names, or the second demo user.
func (w *web) chatter(q *request) (tenant.User, error) {
	id := q.URL.Query().Get("as")
	if id == "" {
		id = string(demoUsers[1].id)
	}
	u, err := tenant.ParseUserID("as", id)
	if err != nil {
		return tenant.User{ID: tenant.UserID(id)}, tenant.NotFound("user")
	}
	row, err := w.c.service.User(q.Context(), q.actor(), q.tenant, u)
	row.ID = u
	return row, err
}

func (w *web) showChat(q *request) (ui.View, error) {
	v := &ui.Chat{Page: ui.Page{Title: "Chat", Area: "chat"}, Action: q.base() + "/chat", Users: q.base() + "/users"}
	u, err := w.chatter(q)
	v.User = string(u.ID)
	switch e, readable := tenant.AsError(err); {
	case readable && e.Code == tenant.CodeNotFound:
		v.Error = "There is no user of this id. Make them under Users, or choose another."
	case err != nil:
		return nil, err
	case u.Status != tenant.UserActive:
		v.Error = "This user was revoked. Let them in again under Users, or choose another."
	case !q.may(tenant.ScopeChat):
		v.Error = "Your role in this tenant reads only; ask an admin for the role developer."
	default:
		v.Chat, v.Pane = true, w.pane(q, u.ID)
	}
	return v, nil
}

func (w *web) pane(q *request, u tenant.UserID) ui.Pane {
	return ui.Pane{User: string(u), Token: q.base() + "/chat/token?as=" + string(u), Servers: w.conf.WSURL}
}

// chatTokenLife is short: the page asks for another by itself.
const chatTokenLife = 15 * time.Minute

// serveChatToken answers the chat page with a token of the user.
func (w *web) serveChatToken(q *request, out http.ResponseWriter) error {
	u, err := w.chatter(q)
	if err != nil {
		return err
	}
	token, _, err := w.c.service.MintToken(q.Context(), q.actor(), q.tenant, u.ID, chatTokenLife)
	if err != nil {
		return err
	}
	out.Header().Set("Content-Type", jsonType)
	return json.NewEncoder(out).Encode(struct {
		Token string `json:"token"`
	}{token.Reveal()})
}
