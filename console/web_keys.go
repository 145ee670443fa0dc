package console

import (
	"cmp"
	"strings"

	"parley/console/ui"
	"parley/tenant"
)

// A keyKind is what the page of keys says of one kind of key, and the fields that it asks for beside the name.
type keyKind struct {
	kind        tenant.KeyKind
	label, lead string
	nameHint    string
	fields      []ui.Field
}

var unknownUsers = ui.Field{Name: "create_users", Label: "Whom nobody knows", Options: []ui.Option{
	{Value: "", Label: "is refused"},
	{Value: "yes", Label: "becomes a user of this tenant"},
}}

var keyKinds = []keyKind{
	{tenant.KeyAPI, "API key", "Your backend sends it to the HTTP API.", "What uses it.", []ui.Field{
		{Name: "scopes", Label: "It may", Value: "read chat admin", Options: []ui.Option{
			{Value: "read chat admin", Label: "everything: users, rooms, tokens"},
			{Value: "read chat", Label: "read, post and make tokens"},
			{Value: "read", Label: "read only"},
		}},
	}},
	{tenant.KeyService, "Service", "A backend that is always connected to NATS: it gets a .creds file, and is a user of the key's name.", "The id of the backend's user: a-z, 0-9, - and _.", nil},
	{tenant.KeyUserToken, "Token key", "Your backend signs its own tokens for its users; this is the public key that they are checked with.", "What signs with it.", []ui.Field{
		{Name: "alg", Label: "Algorithm", Value: "EdDSA", Options: []ui.Option{{Value: "EdDSA", Label: "EdDSA"}, {Value: "ES256", Label: "ES256"}, {Value: "RS256", Label: "RS256"}}},
		{Name: "public_key", Label: "Public key", Type: "textarea", Hint: "In PEM, from -----BEGIN PUBLIC KEY----- on. The private key stays with you."},
		unknownUsers,
	}},
	{tenant.KeyJWKS, "Key set", "The same, with your public keys at an address (JWKS): you rotate them there.", "Whose keys they are.", []ui.Field{
		{Name: "url", Label: "Address", Autocomplete: "off", Hint: "https:// and public."},
		unknownUsers,
	}},
	{tenant.KeyOIDC, "Identity provider", "An OpenID Connect provider whose ID tokens let your users in.", "What your people call it.", []ui.Field{
		{Name: "issuer", Label: "Issuer", Autocomplete: "off", Hint: "Letter by letter what iss says in its tokens."},
		{Name: "client_id", Label: "Client id", Autocomplete: "off"},
		{Name: "user_claim", Label: "Claim that names the user", Value: "sub", Optional: true, Autocomplete: "off"},
		unknownUsers,
	}},
	{tenant.KeyNATSScoped, "NATS users", "A key of yours that signs NATS users: the servers let them in without asking, as the user who has their nkey.", "What signs with it.", []ui.Field{
		{Name: "role", Label: "Its users", Options: []ui.Option{
			{Value: string(tenant.ScopedMember), Label: "read open and announce rooms, and post in open ones"},
			{Value: string(tenant.ScopedService), Label: "read and post in all rooms but direct and shared ones, and answer requests"},
		}},
		{Name: "public_key", Label: "Public key", Autocomplete: "off", Hint: "An account nkey, A…. Its seed stays with you."},
	}},
	{tenant.KeyTLSCA, "Certificates", "A CA of yours whose client certificates let users in.", "What the CA is for.", []ui.Field{
		{Name: "certificate", Label: "The CA's certificate", Type: "textarea", Hint: "In PEM. Its private key stays with you."},
		{Name: "user_field", Label: "What names the user in a client certificate", Value: "cn", Options: []ui.Option{
			{Value: "cn", Label: "the common name"}, {Value: "email", Label: "the mail address"}, {Value: "dns", Label: "the DNS name"}, {Value: "uri", Label: "the URI"},
		}},
	}},
}

func keyKindOf(id string) keyKind {
	for _, k := range keyKinds {
		if string(k.kind) == id {
			return k
		}
	}
	return keyKinds[0]
}

func (q *request) newKeyForm(k keyKind) ui.Form {
	name := ui.Field{Name: "name", Label: "Name", Autocomplete: "off", Hint: k.nameHint}
	return ui.Form{
		Action: q.base() + "/keys?kind=" + string(k.kind), Submit: "Add",
		Fields: append([]ui.Field{name}, k.fields...),
	}
}

func (w *web) showKeys(q *request) (ui.View, error) {
	k := keyKindOf(q.URL.Query().Get("kind"))
	return w.keysView(q, k, q.newKeyForm(k))
}

func (w *web) keysView(q *request, kind keyKind, form ui.Form) (ui.View, error) {
	l := q.listing()
	items, pager, err := rows(q.Context(), l, func(k tenant.Key) string { return k.ID },
		func(ctx ctx, p tenant.Page) ([]tenant.Key, error) {
			return w.c.service.Keys(ctx, q.actor(), q.tenant, p)
		})
	if err != nil {
		return nil, err
	}
	v := &ui.Keys{Page: ui.Page{Title: "Keys", Area: "keys"}, Search: l.search("Name"), Pager: pager, Lead: kind.lead, New: form, May: q.may(tenant.ScopeAdmin)}
	for _, k := range keyKinds {
		v.Tabs = append(v.Tabs, ui.Tab{Label: k.label, Link: q.base() + "/keys?kind=" + string(k.kind), Current: k.kind == kind.kind})
	}
	for _, k := range items {
		v.Rows = append(v.Rows, q.keyRow(k))
	}
	return v, nil
}

func (q *request) keyRow(k tenant.Key) ui.KeyRow {
	path := q.base() + "/keys/" + k.ID
	row := ui.KeyRow{
		ID: k.ID, Name: k.Name, Kind: keyKindOf(string(k.Kind)).label, Detail: keyDetail(k), Since: k.CreatedAt, Used: k.LastUsed, Ends: k.EndsAt,
		Remove: ui.Button{Action: path + "/remove", Label: "Remove", Danger: true},
	}
	if k.EndsAt.IsZero() {
		row.Rotate = path + "/rotate"
	}
	return row
}

func scopesOf(k tenant.Key) string {
	var scopes []string
	for _, s := range k.Scopes {
		scopes = append(scopes, string(s))
	}
	return strings.Join(scopes, " ")
}

// keyDetail is what a key does, or where it comes from.
func keyDetail(k tenant.Key) string {
	switch k.Kind {
	case tenant.KeyAPI:
		return scopesOf(k)
	case tenant.KeyService:
		return "connects as " + k.Name
	case tenant.KeyUserToken:
		return k.Alg
	case tenant.KeyJWKS:
		return k.URL
	case tenant.KeyOIDC:
		return k.Issuer + ", " + k.ClientID
	case tenant.KeyNATSScoped:
		return "signs users as " + string(k.Role)
	}
	return k.UserField
}

func (w *web) doNewKey(q *request) (outcome, error) {
	kind := keyKindOf(q.URL.Query().Get("kind"))
	form := q.newKeyForm(kind)
	spec := tenant.KeySpec{Kind: kind.kind, Name: q.typed("name"), KeyDetails: tenant.KeyDetails{
		Alg: q.typed("alg"), PublicKey: q.typed("public_key"), Role: tenant.ScopedRole(q.typed("role")), CreateUsers: q.typed("create_users") == "yes", URL: q.typed("url"),
		Issuer: q.typed("issuer"), ClientID: q.typed("client_id"), UserClaim: q.typed("user_claim"),
		Certificate: q.typed("certificate"), UserField: q.typed("user_field"),
	}}
	for s := range strings.FieldsSeq(q.typed("scopes")) {
		spec.Scopes = append(spec.Scopes, tenant.Scope(s))
	}
	key, secret, err := w.c.service.AddKey(q.Context(), q.actor(), q.tenant, spec)
	if err != nil {
		return q.correct(&form, err, func() (ui.View, error) { return w.keysView(q, kind, form) })
	}
	if shown := q.keySecret(key, secret); shown != nil {
		return outcome{to: shown.Back.Value, view: shown}, nil
	}
	return to(q.base()+"/keys?kind="+string(kind.kind), "%s is added; it is good from now on.", key.Name), nil
}

// keySecret is the page that shows once what came with a key; nil: its kind has no secret.
func (q *request) keySecret(key tenant.Key, secret tenant.KeySecret) *ui.Secret {
	heading := keyKindOf(string(key.Kind)).label + " " + key.Name
	shown := &ui.Secret{
		Page: ui.Page{Title: heading, Area: "keys"}, Heading: heading, Back: ui.Option{Value: q.base() + "/keys", Label: "Back to the keys"},
		Text: cmp.Or(secret.APIKey, secret.Creds).Reveal(), Note: "Keep it where your backend keeps its secrets. Whoever has it does what it may do.",
	}
	switch {
	case secret.APIKey != "":
		shown.Lead, shown.Name = "Your backend sends it as Authorization: Bearer.", string(q.tenant)+"-"+key.ID+".key"
	case secret.Creds != "":
		shown.Lead, shown.Name = "An ordinary .creds file: every NATS client takes it. Its inbox prefix is _INBOX."+key.Name+".", string(q.tenant)+"-"+key.Name+".creds"
	default:
		return nil
	}
	return shown
}

func (w *web) doRemoveKey(q *request) (outcome, error) {
	return to(q.base()+"/keys", "The key is removed; nothing it opened stays open."), w.c.service.RemoveKey(q.Context(), q.actor(), q.tenant, q.PathValue("key"))
}
