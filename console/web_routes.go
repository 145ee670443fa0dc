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

// download is a file for everybody who has a seat.
func download(path string, fn func(*request, http.ResponseWriter) error) route {
	return route{method: http.MethodGet, path: path, who: seated, raw: fn}
}

// table holds every route of the web console.
func (w *web) table() []route {
	return []route{
		show("/{$}", person, w.showHome),
		show("/login", anybody, w.showLogin),
		do("/login", anybody, w.doLogin),
		{method: http.MethodPost, path: "/login/passkey/challenge", who: anybody, raw: w.serveLoginChallenge},
		do("/login/passkey", anybody, w.doPasskeyLogin),
		{method: http.MethodGet, path: ssoPath, who: anybody, raw: w.serveSSO},
		{method: http.MethodGet, path: ssoReturn, who: anybody, raw: w.serveSSOReturn},
		do("/logout", person, w.doLogout),
		show("/join", anybody, w.showJoin),
		do("/join", anybody, w.doJoin),
		do("/join/info", anybody, w.doLinkInfo),
		do("/join/accept", person, w.doAccept),
		show("/recover", anybody, w.showRecover),
		do("/recover", anybody, w.doRecover),
		show("/recover/code", anybody, w.showRecoverByCode),
		do("/recover/code", anybody, w.doRecoverByCode),

		show("/account", person, w.showAccount),
		do("/account/password", person, w.doPassword),
		{method: http.MethodPost, path: "/account/passkeys/challenge", who: person, raw: w.serveNewPasskeyChallenge},
		do("/account/passkeys", person, w.doAddPasskey),
		do("/account/passkeys/{passkey}/rename", person, w.doRenamePasskey),
		do("/account/passkeys/{passkey}/remove", person, w.doRemovePasskey),
		do("/account/recovery-codes", person, w.doNewCodes),
		do("/account/logins/{login}/end", person, w.doEndLogin),
		do("/account/logins/end-others", person, w.doEndOthers),

		show("/tenants/new", person, w.showNewTenant),
		do("/tenants/new", person, w.doNewTenant),

		show("/operator", operator, w.showTenants),
		show("/operator/tenants/{tenant}", operator, w.showCard),
		do("/operator/tenants/{tenant}/limits", operator, w.doLimits),
		do("/operator/tenants/{tenant}/suspend", operator, w.doSuspend),
		do("/operator/tenants/{tenant}/resume", operator, w.doResume),
		do("/operator/tenants/{tenant}/enter", operator, w.doEnter),
		do("/operator/tenants/{tenant}/leave", operator, w.doLeaveTenant),
		show("/operator/servers", operator, w.showServers),
		show("/operator/streams", operator, w.showStreams),
		show("/operator/people", operator, w.showFolks),
		do("/operator/people/invite", operator, w.doInviteFolk),
		do("/operator/people/recover", operator, w.doRecoverFolk),
		do("/operator/people/unlink", operator, w.doUnlinkFolk),
		show("/operator/health", operator, w.showHealth),
		show("/operator/health/checks", operator, w.showChecks),
		do("/operator/jobs/{job}/retry", operator, w.doRetryJob),
		show("/operator/audit", operator, w.showOperatorAudit),

		show("/t/{tenant}", seated, w.showOverview),
		show("/t/{tenant}/connect", seated, w.showConnect),
		do("/t/{tenant}/connect/snippet", seated, w.doSnippet),
		show("/t/{tenant}/connect/wait", seated, w.showWait),
		show("/t/{tenant}/chat", seated, w.showChat),
		{method: http.MethodPost, path: "/t/{tenant}/chat/token", who: seated, raw: w.serveChatToken},

		show("/t/{tenant}/rooms", seated, w.showRooms),
		do("/t/{tenant}/rooms", seated, w.doNewRoom),
		show("/t/{tenant}/rooms/{room}", seated, w.showRoom),
		do("/t/{tenant}/rooms/{room}/edit", seated, w.doEditRoom),
		do("/t/{tenant}/rooms/{room}/freeze", seated, w.doFreeze),
		do("/t/{tenant}/rooms/{room}/archive", seated, w.doArchive),
		do("/t/{tenant}/rooms/{room}/delete", seated, w.doDeleteRoom),
		do("/t/{tenant}/rooms/{room}/members", seated, w.doPutMember),
		do("/t/{tenant}/rooms/{room}/members/{user}/remove", seated, w.doRemoveMember),
		do("/t/{tenant}/rooms/{room}/sanctions", seated, w.doSanction),
		do("/t/{tenant}/rooms/{room}/members/{user}/unban", seated, w.doUnban),
		do("/t/{tenant}/rooms/{room}/members/{user}/unmute", seated, w.doUnmute),
		do("/t/{tenant}/rooms/{room}/messages/{seq}/pin", seated, w.doPin),
		do("/t/{tenant}/rooms/{room}/messages/{seq}/unpin", seated, w.doUnpin),
		do("/t/{tenant}/rooms/{room}/messages/{seq}/delete", seated, w.doDeleteMessage),
		download("/t/{tenant}/rooms/{room}/export", w.exportRoom),
		show("/t/{tenant}/reports", seated, w.showReports),
		do("/t/{tenant}/reports/{report}/close", seated, w.doCloseReport),

		show("/t/{tenant}/shares", seated, w.showShares),
		do("/t/{tenant}/shares", seated, w.doOffer),
		show("/t/{tenant}/shares/{share}", seated, w.showShare),
		do("/t/{tenant}/shares/{share}/accept", seated, w.doAcceptShare),
		do("/t/{tenant}/shares/{share}/decline", seated, w.doDeclineShare),
		do("/t/{tenant}/shares/{share}/title", seated, w.doRenameShare),
		do("/t/{tenant}/shares/{share}/change", seated, w.doChangeShare),
		do("/t/{tenant}/shares/{share}/end", seated, w.doEndShare),

		show("/t/{tenant}/users", seated, w.showUsers),
		do("/t/{tenant}/users", seated, w.doNewUser),
		show("/t/{tenant}/users/{user}", seated, w.showUser),
		do("/t/{tenant}/users/{user}/edit", seated, w.doEditUser),
		do("/t/{tenant}/users/{user}/revoke", seated, w.doRevoke),
		do("/t/{tenant}/users/{user}/restore", seated, w.doRestore),
		do("/t/{tenant}/users/{user}/token", seated, w.doToken),
		do("/t/{tenant}/users/{user}/creds", seated, w.doCreds),
		do("/t/{tenant}/users/{user}/creds/{nkey}/revoke", seated, w.doRevokeCreds),
		do("/t/{tenant}/users/{user}/tokens/end", seated, w.doEndToken),
		do("/t/{tenant}/users/{user}/delete", seated, w.doDeleteUser),
		do("/t/{tenant}/users/{user}/erase", seated, w.doErase),
		show("/t/{tenant}/users/{user}/erasure", seated, w.showErasure),
		download("/t/{tenant}/users/{user}/export", w.exportUser),

		show("/t/{tenant}/connections", seated, w.showConnections),
		show("/t/{tenant}/connections/list", seated, w.showConnectionList),

		show("/t/{tenant}/keys", seated, w.showKeys),
		do("/t/{tenant}/keys", seated, w.doNewKey),
		show("/t/{tenant}/keys/{key}/rotate", seated, w.showRotateKey),
		do("/t/{tenant}/keys/{key}/rotate", seated, w.doRotateKey),
		do("/t/{tenant}/keys/{key}/remove", seated, w.doRemoveKey),
		show("/t/{tenant}/refusals", seated, w.showRefusals),
		show("/t/{tenant}/audit", seated, w.showAudit),
		download("/t/{tenant}/audit.csv", w.exportAuditCSV),
		download("/t/{tenant}/audit.ndjson", w.exportAudit),

		show("/t/{tenant}/people", seated, w.showPeople),
		do("/t/{tenant}/people/invite", seated, w.doInvite),
		do("/t/{tenant}/people/links/{link}/remove", seated, w.doUninvite),
		do("/t/{tenant}/people/{person}/role", seated, w.doSetSeat),
		do("/t/{tenant}/people/{person}/remove", seated, w.doRemoveSeat),
		show("/t/{tenant}/settings", seated, w.showSettings),
		do("/t/{tenant}/settings", seated, w.doSettings),
		show("/t/{tenant}/holds", seated, w.showHolds),
		do("/t/{tenant}/holds", seated, w.doPlaceHold),
		show("/t/{tenant}/holds/lift", seated, w.showLiftHold),
		do("/t/{tenant}/holds/lift", seated, w.doLiftHold),
		download("/t/{tenant}/rooms/{room}/held", w.exportHeld),
		do("/t/{tenant}/erase", seated, w.doEraseAny),
		do("/t/{tenant}/delete", seated, w.doDeleteTenant),
	}
}
