package console

import (
	"net/http"

	"parley/console/ui"
)

func show(path string, who audience, fn func(*request) (ui.View, error)) route {
	return route{method: http.MethodGet, path: path, who: who, show: fn}
}

func do(path string, who audience, fn func(*request) (outcome, error)) route {
	return route{method: http.MethodPost, path: path, who: who, do: fn}
}

// table holds every route of the web console.
func (w *web) table() []route {
	return []route{
		show("/{$}", person, w.showHome),
		show("/login", anybody, w.showLogin),
		do("/login", anybody, w.doLogin),
		do("/logout", person, w.doLogout),
		show("/join", anybody, w.showJoin),
		do("/join", anybody, w.doJoin),
		do("/join/info", anybody, w.doLinkInfo),
		do("/join/accept", person, w.doAccept),
		show("/recover", anybody, w.showRecover),
		do("/recover", anybody, w.doRecover),

		show("/account", person, w.showAccount),
		do("/account/password", person, w.doPassword),
		do("/account/logins/{login}/end", person, w.doEndLogin),
		do("/account/logins/end-others", person, w.doEndOthers),

		show("/tenants/new", person, w.showNewTenant),
		do("/tenants/new", person, w.doNewTenant),

		show("/t/{tenant}", seated, w.showOverview),
	}
}
