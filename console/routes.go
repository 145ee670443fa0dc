package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const (
	v1          = "/v1"
	ofTenant    = v1 + "/tenants/{tenant}"
	ofUser      = ofTenant + "/users/{user}"
	ofRoom      = ofTenant + "/rooms/{room}"
	ofKey       = ofTenant + "/keys/{key}"
	ofShare     = ofTenant + "/shares/{share}"
	openAPIPath = v1 + "/openapi.json"
)

// routes holds every route of the API.
func (c *console) routes(api huma.API) {
	huma.Register(api, post("create-tenant", v1+"/tenants", "Make a tenant and its first API key", shows("api_key")), c.createTenant)
	huma.Register(api, get("list-tenants", v1+"/tenants", "List the tenants"), c.listTenants)
	huma.Register(api, get("get-tenant", ofTenant, "Read a tenant"), c.getTenant)
	huma.Register(api, patch("update-tenant", ofTenant, "Change, suspend or resume a tenant"), c.updateTenant)
	huma.Register(api, remove("delete-tenant", ofTenant, "Delete a tenant and all it has"), c.deleteTenant)

	huma.Register(api, put("put-user", ofUser, "Make or change a user", makes()), c.putUser)
	huma.Register(api, get("list-users", ofTenant+"/users", "List the users"), c.listUsers)
	huma.Register(api, get("get-user", ofUser, "Read a user"), c.getUser)
	huma.Register(api, remove("delete-user", ofUser, "Delete a user"), c.deleteUser)
	huma.Register(api, post("revoke-user", ofUser+"/revoke", "Keep a user out and close their connections", existing(), status(http.StatusOK)), c.revokeUser)
	huma.Register(api, post("restore-user", ofUser+"/restore", "Let a revoked user in again", status(http.StatusOK)), c.restoreUser)

	huma.Register(api, post("mint-token", ofUser+"/tokens", "Sign a token for a user to connect with", existing(), shows("token")), c.mintToken)
	huma.Register(api, post("issue-creds", ofUser+"/creds", "Issue a .creds file, shown once", secretText()), c.issueCreds)

	huma.Register(api, get("list-creds", ofUser+"/creds", "List the credentials of a user, the revoked ones among them"), c.listCredentials)
	huma.Register(api, post("revoke-creds", ofUser+"/creds/{nkey}/revoke", "End one credential and close what was opened with it", status(http.StatusOK)), c.revokeCredential)
	huma.Register(api, post("revoke-token", ofUser+"/tokens/{token}/revoke", "End one token, by its jti, and close what was opened with it", status(http.StatusOK)), c.revokeToken)

	huma.Register(api, post("add-key", ofTenant+"/keys", "Make a key of the tenant; its secret is shown once", shows("api_key", "creds")), c.addKey)
	huma.Register(api, get("list-keys", ofTenant+"/keys", "List the keys"), c.listKeys)
	huma.Register(api, get("get-key", ofKey, "Read a key"), c.getKey)
	huma.Register(api, post("rotate-key", ofKey+"/rotate", "Replace a key; the old one stays good for a while", existing(), shows("api_key", "creds")), c.rotateKey)
	huma.Register(api, remove("remove-key", ofKey, "End a key: what it lets in is refused from then on"), c.removeKey)

	huma.Register(api, get("list-connections", ofTenant+"/connections", "List the open connections of a tenant"), c.listConnections)
	huma.Register(api, get("list-user-connections", ofUser+"/connections", "List the open connections of a user"), c.listConnections)

	huma.Register(api, post("create-room", ofTenant+"/rooms", "Make a room"), c.createRoom)
	huma.Register(api, get("list-rooms", ofTenant+"/rooms", "List the rooms"), c.listRooms)
	huma.Register(api, get("get-room", ofRoom, "Read a room"), c.getRoom)
	huma.Register(api, patch("update-room", ofRoom, "Change a room", existing()), c.updateRoom)
	huma.Register(api, remove("delete-room", ofRoom, "Delete a room; its id is never used again"), c.deleteRoom)

	huma.Register(api, put("put-member", ofRoom+"/members/{user}", "Make a user a member, or change their role", existing()), c.putMember)
	huma.Register(api, remove("remove-member", ofRoom+"/members/{user}", "Take a user out of a room"), c.removeMember)
	huma.Register(api, get("list-members", ofRoom+"/members", "List the members of a room"), c.listMembers)

	huma.Register(api, put("invite-member", ofRoom+"/invitations/{user}", "Invite a user, who accepts by joining; removing them as a member takes it back", existing()), c.inviteMember)
	huma.Register(api, put("ban-member", ofRoom+"/bans/{user}", "Keep a user out of a room", existing()), c.banMember)
	huma.Register(api, remove("unban-member", ofRoom+"/bans/{user}", "End a ban"), c.unbanMember)
	huma.Register(api, put("mute-member", ofRoom+"/mutes/{user}", "Let a user post nothing in a room", existing()), c.muteMember)
	huma.Register(api, remove("unmute-member", ofRoom+"/mutes/{user}", "Let a muted user post again"), c.unmuteMember)
	huma.Register(api, get("list-mutes", ofRoom+"/mutes", "List who is muted in a room"), c.listMutes)
	huma.Register(api, get("list-reports", ofTenant+"/reports", "List the messages that users reported, newest first"), c.listReports)
	huma.Register(api, post("close-report", ofTenant+"/reports/{report}/close", "Note what became of a report", status(http.StatusOK)), c.closeReport)

	huma.Register(api, get("list-messages", ofRoom+"/messages", "Read a room's messages"), c.listMessages)
	huma.Register(api, get("search-messages", ofTenant+"/search", "Search the messages of a tenant"), c.searchMessages)
	huma.Register(api, post("post-message", ofRoom+"/messages", "Post a message as a user", existing()), c.postMessage)
	huma.Register(api, patch("edit-message", ofRoom+"/messages/{seq}", "Edit a message as its author", existing()), c.editMessage)
	huma.Register(api, remove("delete-message", ofRoom+"/messages/{seq}", "Delete a message: a tombstone stays"), c.deleteMessage)
	huma.Register(api, put("pin-message", ofRoom+"/messages/{seq}/pin", "Pin a message", existing()), c.pinMessage)
	huma.Register(api, remove("unpin-message", ofRoom+"/messages/{seq}/pin", "Take a message's pin away"), c.unpinMessage)
	huma.Register(api, post("react-to-message", ofRoom+"/messages/{seq}/reactions", "React to a message as a user", existing(), status(http.StatusOK)), c.reactToMessage)

	huma.Register(api, put("place-tenant-hold", ofTenant+"/hold", "Keep a copy of whatever the rooms of a tenant lose, until the hold is lifted"), c.placeHold)
	huma.Register(api, remove("lift-tenant-hold", ofTenant+"/hold", "Lift the tenant's hold; the copies that no other covers go"), c.liftHold)
	huma.Register(api, put("place-room-hold", ofRoom+"/hold", "Keep a copy of whatever a room loses, until the hold is lifted", existing()), c.placeHold)
	huma.Register(api, remove("lift-room-hold", ofRoom+"/hold", "Lift a room's hold; the copies that no other covers go"), c.liftHold)
	huma.Register(api, get("list-holds", ofTenant+"/holds", "List the holds"), c.listHolds)
	huma.Register(api, post("erase-user", ofUser+"/erase", "Delete a user with all that is personal of them, and empty their messages", status(http.StatusAccepted)), c.eraseUser)
	huma.Register(api, get("get-erasure", ofUser+"/erase", "Tell how far the erasure of a user is"), c.getErasure)

	huma.Register(api, operation("export-room", http.MethodGet, ofRoom+"/export", "Export a room's messages as NDJSON", []option{lines()}), c.exportRoom)
	huma.Register(api, operation("export-held", http.MethodGet, ofRoom+"/held", "Export what the holds of a room keep as NDJSON", []option{lines()}), c.exportHeld)
	huma.Register(api, post("import-room", ofRoom+"/import", "Import messages as NDJSON; a batch is imported whole or not at all", existing(), takesLines(), status(http.StatusOK)), c.importRoom)
	huma.Register(api, operation("export-user", http.MethodGet, ofUser+"/export", "Export what is kept of a person as NDJSON", []option{lines()}), c.exportUser)
	huma.Register(api, get("get-usage", ofTenant+"/usage", "Tell what a tenant uses of its limits, now and by day"), c.getUsage)
	huma.Register(api, post("offer-share", ofTenant+"/shares", "Offer a shared room to another tenant"), c.offerShare)
	huma.Register(api, get("list-shares", ofTenant+"/shares", "List the offers and shares of a tenant, as host and guest"), c.listShares)
	huma.Register(api, get("get-share", ofShare, "Read a share"), c.getShare)
	huma.Register(api, patch("update-share", ofShare, "Change what the host gives, or the guest's name for the room", existing()), c.updateShare)
	huma.Register(api, post("accept-share", ofShare+"/accept", "Accept an offer, as the guest", status(http.StatusOK)), c.acceptShare)
	huma.Register(api, post("decline-share", ofShare+"/decline", "Decline an offer, as the guest", status(http.StatusOK)), c.declineShare)
	huma.Register(api, remove("end-share", ofShare, "End a share, or take an offer back, as host or guest"), c.endShare)

	huma.Register(api, get("list-loads", v1+"/loads", "List what the tenants use of their limits, and how each fares"), c.listLoads)
	huma.Register(api, get("get-health", v1+"/health", "Look whether all that Parley needs works, and say what to do where it does not"), c.getHealth)
	huma.Register(api, get("list-servers", v1+"/servers", "List the NATS servers, those that don't answer among them"), c.listServers)
	huma.Register(api, get("list-streams", v1+"/streams", "List the streams, and how far each is projected"), c.listStreams)

	huma.Register(api, get("list-audit", ofTenant+"/audit", "List who changed what, newest first"), c.listAudit)
	huma.Register(api, get("list-refusals", ofTenant+"/refusals", "List the connections that were refused, newest first"), c.listRefusals)
}

func apiConfig() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Parley", Version: "1",
				Description: "Checks come in this order: the key (401), whether the caller may see the tenant and the thing (404), " +
					"the body (422, 413), the rules. JSON is strict: unknown or doubled names, wrong types, bad UTF-8 and text behind the body are invalid, " +
					"as is another content type than application/json.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer":  {Type: "http", Scheme: "bearer", Description: "The operator's token or an API key"},
					"session": {Type: "apiKey", In: "cookie", Name: hostPrefix + sessionCookie, Description: "The console's session, from its own pages"},
				},
			},
		},
		Formats:                      map[string]huma.Format{jsonType: jsonFormat()},
		DefaultFormat:                jsonType,
		RejectUnknownQueryParameters: true,
	}
}

// openAPI serves the document as it is once all routes are there.
func openAPI(api huma.API) (http.Handler, error) {
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		_, _ = w.Write(document) // fails where the client is gone
	}), nil
}

// traits of a route are what the middleware must know of it.
type traits struct {
	existing     bool     // the user and the room of the path must be there before the body is looked at
	long         bool     // the answer is written while it is read
	lines        bool     // the body is NDJSON
	secret       bool     // the whole answer is shown once
	secretFields []string // these fields of the answer are shown once
}

const traitsKey = "traits"

func traitsOf(ctx huma.Context) traits {
	t, _ := ctx.Operation().Metadata[traitsKey].(traits)
	return t
}

type option func(*huma.Operation, *traits)

func existing() option { return func(_ *huma.Operation, t *traits) { t.existing = true } }

func shows(fields ...string) option {
	return func(_ *huma.Operation, t *traits) { t.secretFields = fields }
}

func status(code int) option { return func(op *huma.Operation, _ *traits) { op.DefaultStatus = code } }

// secretText is the option of a route that answers text, shown once.
func secretText() option {
	return func(op *huma.Operation, t *traits) {
		t.secret = true
		op.Responses = map[string]*huma.Response{"201": {
			Description: http.StatusText(http.StatusCreated),
			Content:     map[string]*huma.MediaType{textType: {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
	}
}

// makes is the option of a PUT that answers 201 where it made the thing, and 200 where it was there.
func makes() option {
	return func(op *huma.Operation, _ *traits) {
		both := &huma.Response{Description: "The thing as it is now: made (201) or changed (200)"}
		op.Responses = map[string]*huma.Response{"200": both, "201": both}
	}
}

func get(id, path, summary string) huma.Operation {
	return operation(id, http.MethodGet, path, summary, nil)
}

func put(id, path, summary string, opts ...option) huma.Operation {
	return operation(id, http.MethodPut, path, summary, opts)
}

func post(id, path, summary string, opts ...option) huma.Operation {
	return operation(id, http.MethodPost, path, summary, append([]option{status(http.StatusCreated)}, opts...))
}

func patch(id, path, summary string, opts ...option) huma.Operation {
	return operation(id, http.MethodPatch, path, summary, opts)
}

func remove(id, path, summary string) huma.Operation {
	return operation(id, http.MethodDelete, path, summary, nil)
}

func operation(id, method, path, summary string, opts []option) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		Tags:     []string{tag(path)},
		Security: []map[string][]string{{"bearer": {}}, {"session": {}}},
		Errors:   []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		// The body is read and bounded before huma gets it; its deadline for
		// bodies would cancel requests that run longer.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	var t traits
	for _, o := range opts {
		o(&op, &t)
	}
	op.Metadata = map[string]any{traitsKey: t}
	op.Parameters = pathParameters(path)
	if method != http.MethodGet {
		op.Errors = append(op.Errors, http.StatusConflict, http.StatusRequestEntityTooLarge)
		op.Parameters = append(op.Parameters, idempotencyParameter())
	}
	return op
}

// tag is the last word of the path that names a kind of things.
func tag(path string) string {
	parts := strings.Split(path, "/")
	slices.Reverse(parts)
	for _, p := range parts {
		if strings.HasSuffix(p, "s") || p == "audit" || p == "health" {
			return p
		}
	}
	return ""
}

// pathParameters documents the ids of the path. The middleware parses them, by the domain's own grammar.
func pathParameters(path string) []*huma.Param {
	var params []*huma.Param
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			params = append(params, &huma.Param{
				Name: name, In: "path", Required: true, Description: "The id of the " + name,
				Schema: &huma.Schema{Type: huma.TypeString},
			})
		}
	}
	return params
}

func idempotencyParameter() *huma.Param {
	shortest, longest := 1, maxIdempotencyKey
	return &huma.Param{
		Name: idempotencyHeader, In: "header",
		Description: "The same key and request get the same answer for a day, without its secrets and with the header " + replayedHeader +
			"; another request with the key, or one that is still under way, is a conflict",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest, Pattern: "^[ -~]*$"},
	}
}
