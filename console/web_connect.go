package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

// A way is one way to connect that the onboarding has a snippet for.
type way struct{ id, label, lead string }

var ways = []way{
	{"cli", "Command line", "Paste this into a terminal on this machine. It posts one line as alice."},
	{"browser", "Browser", "Save this as hello.html and open it: it connects over WebSocket and posts as alice."},
	{"go", "Go", "A program of its own, on nats.go alone. It posts as alice and prints the acknowledgement."},
	{"ts", "TypeScript", "The same for node, on the NATS client alone."},
	{"http", "HTTP", "From your backend, with an API key that is made for this snippet. It posts as alice."},
}

func wayOf(id string) way {
	for _, w := range ways {
		if w.id == id {
			return w
		}
	}
	return ways[0]
}

// poster is the demo user whom the snippets are for.
const poster = tenant.UserID("alice")

func (w *web) showConnect(q *request) (ui.View, error) {
	checks, err := w.checks(q)
	if err != nil {
		return nil, err
	}
	current, base := wayOf(q.URL.Query().Get("via")), q.base()
	v := &ui.Connect{
		Page: ui.Page{Title: "Get connected", Area: "connect"}, ID: string(q.tenant), Checks: checks, Room: string(demoRoom),
		Snippet: ui.Form{Action: base + "/connect/snippet?via=" + current.id, Submit: "Show the snippet"},
		Wait:    base + "/connect/wait",
	}
	if listener := demoUsers[1].id; q.may(tenant.ScopeChat) && !slices.ContainsFunc(checks, func(c ui.Check) bool { return !c.OK }) {
		pane := w.pane(q, listener)
		pane.Small = true
		v.Chat, v.Pane = true, &pane
	}
	for _, x := range ways {
		v.Tabs = append(v.Tabs, ui.Tab{Label: x.label, Link: base + "/connect?via=" + x.id, Current: x.id == current.id})
	}
	return v, nil
}

// checks look whether what the snippets need is there, on the servers too.
func (w *web) checks(q *request) ([]ui.Check, error) {
	has, err := w.c.service.Summary(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	account := ui.Check{What: "Account", OK: has.Pushed > 0 && has.Pushed == has.Wanted, State: "every NATS server has it"}
	if !account.OK {
		account.State = "on its way to the NATS servers; load the page again in a moment"
	}
	room := ui.Check{What: "Room " + string(demoRoom), OK: true, State: "stores messages"}
	if _, err := w.c.service.Room(q.Context(), q.actor(), q.tenant, demoRoom); err != nil {
		room.OK, room.State = false, "is not there; make an open room of this id"
	}
	checks := []ui.Check{account, room}
	for _, u := range demoUsers {
		check := ui.Check{What: "User " + string(u.id), State: "may connect"}
		user, err := w.c.service.User(q.Context(), q.actor(), q.tenant, u.id)
		check.OK = err == nil && user.Status == tenant.UserActive
		if !check.OK {
			check.State = "is not there or was revoked; make or restore them under Users"
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// snippetLife is how long the token in a snippet is good.
const snippetLife = 4 * time.Hour

// doSnippet makes a token, or a key, and puts it into the snippet.
func (w *web) doSnippet(q *request) (outcome, error) {
	x := wayOf(q.URL.Query().Get("via"))
	v, err := w.snippets(q, x)
	if e, ok := tenant.AsError(err); ok {
		q.call.code = e.Code
		return outcome{view: ui.Snippets{Error: sentence(domainFailure(e).Message)}}, nil
	}
	return outcome{view: v}, err
}

func (w *web) snippets(q *request, x way) (ui.Snippets, error) {
	if x.id == "http" {
		_, secret, err := w.c.service.AddKey(q.Context(), q.actor(), q.tenant, tenant.KeySpec{
			Kind: tenant.KeyAPI, Name: "quickstart", Scopes: []tenant.Scope{tenant.ScopeRead, tenant.ScopeChat},
		})
		if err != nil {
			return ui.Snippets{}, err
		}
		return ui.Snippets{Lead: x.lead, Parts: []ui.Snippet{{Text: w.curl(q.tenant, secret.APIKey)}}}, nil
	}
	token, expires, err := w.c.service.MintToken(q.Context(), q.actor(), q.tenant, poster, snippetLife)
	if err != nil {
		return ui.Snippets{}, err
	}
	v := ui.Snippets{Lead: x.lead, Expires: expires}
	fill := strings.NewReplacer("{TOKEN}", token.Reveal(), "{NATS}", w.conf.NATSURL, "{WS}", w.conf.WSURL,
		"{TENANT}", string(q.tenant), "{USER}", string(poster), "{ROOM}", string(demoRoom), "{HTTP}", strings.TrimRight(w.public.String(), "/"))
	for _, s := range templatesOf[x.id] {
		v.Parts = append(v.Parts, ui.Snippet{Label: s.Label, Text: fill.Replace(s.Text)})
	}
	return v, nil
}

func (w *web) curl(t tenant.TenantID, key tenant.Secret) string {
	return fmt.Sprintf(`curl -X POST %s/v1/tenants/%s/rooms/%s/messages \
  -H 'Authorization: Bearer %s' \
  -H 'Content-Type: application/json' \
  -d '{"as": "%s", "text": "Hello from HTTP"}'
`, strings.TrimRight(w.public.String(), "/"), t, demoRoom, key.Reveal(), poster)
}

var templatesOf = map[string][]ui.Snippet{
	"cli": {{Text: `cat > alice.token <<'EOF'
{TOKEN}
EOF
echo 'Hello from the command line' | parley chat {TENANT} {USER} {ROOM} --nats {NATS} --token-file alice.token
`}},
	"browser": {{Label: "hello.html", Text: `<!doctype html>
<meta charset="utf-8">
<pre id="out"></pre>
<script type="module">
import { connect } from "{HTTP}/sdk/parley.js";

const out = (line) => document.querySelector("#out").append(line + "\n");
const chat = await connect({
  servers: "{WS}",
  user: "{USER}",
  token: "{TOKEN}",
});
const lobby = await chat.join("{ROOM}");
await chat.post(lobby, { text: "Hello from the browser" });
for await (const m of chat.listen(lobby, lobby.read)) out(m.sender + ": " + m.text);
</script>
`}},
	"go": {
		{Label: "main.go", Text: `package main

import (
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
)

func main() {
	nc, err := nats.Connect("{NATS}",
		nats.Token("{TOKEN}"),
		nats.CustomInboxPrefix("_INBOX.{USER}"))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	ack, err := nc.Request("chat.std.open.{ROOM}.{USER}", []byte(` + "`" + `{"text": "Hello from Go"}` + "`" + `), 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("stored: %s\n", ack.Data)
}
`},
		{Label: "Run it", Text: "go mod init hello && go get github.com/nats-io/nats.go && go run .\n"},
	},
	"ts": {
		{Label: "hello.ts", Text: `import { connect } from "@nats-io/transport-node";

const nc = await connect({
  servers: "{NATS}",
  token: "{TOKEN}",
  inboxPrefix: "_INBOX.{USER}",
});
const ack = await nc.request(
  "chat.std.open.{ROOM}.{USER}",
  JSON.stringify({ text: "Hello from TypeScript" }),
  { timeout: 5000 },
);
console.log("stored:", ack.string());
await nc.close();
`},
		{Label: "Run it", Text: "npm init -y && npm pkg set type=module && npm install @nats-io/transport-node tsx && npx tsx hello.ts\n"},
	},
}

// waitTime is how long one question for the first message stays open, and waitLook how often it
// looks where another process is the one that makes messages readable.
const (
	waitTime = 20 * time.Second
	waitLook = time.Second
)

// showWait answers when the first message is there, or says to ask again.
func (w *web) showWait(q *request) (ui.View, error) {
	row, err := w.c.service.Tenant(q.Context(), q.actor(), q.tenant)
	if err != nil {
		return nil, err
	}
	v := ui.Waiting{Again: q.base() + "/connect/wait?" + url.Values{"since": {"1"}}.Encode()}
	if _, err := w.c.service.Room(q.Context(), q.actor(), q.tenant, demoRoom); err != nil {
		return v, err
	}
	end, begun := time.After(waitTime), time.Now()
	for {
		moved := w.moved(row.Account)
		first, err := w.firstMessage(q)
		if err != nil {
			return nil, err
		}
		if first != nil {
			if first.At.After(begun) { // else nobody was looking when it came
				first.Took = time.Since(first.At)
			}
			return ui.Waiting{First: first}, nil
		}
		select {
		case <-moved:
		case <-time.After(waitLook):
		case <-end:
			return v, nil
		case <-q.Context().Done():
			return v, q.Context().Err()
		}
	}
}

func (w *web) moved(account string) <-chan struct{} {
	if w.conf.Live == nil {
		return nil
	}
	return w.conf.Live.Moved(account, tenant.Std)
}

func (w *web) firstMessage(q *request) (*ui.FirstMessage, error) {
	page, err := w.c.messages.History(q.Context(), q.tenant, demoRoom, tenant.HistoryQuery{After: 1, Limit: webPage})
	if err != nil {
		return nil, err
	}
	for _, m := range page.Messages {
		if m.Sender != tenant.System {
			return &ui.FirstMessage{Sender: m.Sender, Text: m.Text, At: m.Time, Tenant: string(q.tenant), User: m.Sender}, nil
		}
	}
	return nil, nil //nolint:nilnil // nobody has said anything yet
}

// serveSDK serves the TypeScript SDK as one script that pages of any site may load.
func serveSDK(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Access-Control-Allow-Origin", "*")
	out.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	out.Header().Set("Cache-Control", "public, max-age=300")
	serveAsset(out, r, ui.SDK())
}
