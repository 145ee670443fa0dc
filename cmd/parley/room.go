package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"parley/tenant"
)

type roomCmd struct {
	Create  roomCreateCmd  `cmd:"" help:"Make a room."`
	List    roomListCmd    `cmd:"" help:"List the rooms of a tenant."`
	Show    roomShowCmd    `cmd:"" help:"Show a room."`
	Update  roomUpdateCmd  `cmd:"" help:"Change a room's title, slow mode or reach of history."`
	Freeze  roomFreezeCmd  `cmd:"" help:"Let nobody post in a room, which stays readable."`
	Archive roomArchiveCmd `cmd:"" help:"Close a room that is over, which stays readable."`
	Reopen  roomReopenCmd  `cmd:"" help:"Open a frozen or archived room again."`
	Pin     roomPinCmd     `cmd:"" help:"Pin a message of a room."`
	Unpin   roomUnpinCmd   `cmd:"" help:"Take a message's pin away."`
	Mutes   roomMutesCmd   `cmd:"" help:"List who is muted in a room."`
	Reports roomReportsCmd `cmd:"" help:"List the messages that users reported."`

	CloseReport roomCloseReportCmd `cmd:"" help:"Note what became of a report."`
	Delete      roomDeleteCmd      `cmd:"" help:"Delete a room; its id is never used again."`
	Messages    roomMessagesCmd    `cmd:"" help:"Show the newest messages."`
	Post        roomPostCmd        `cmd:"" help:"Post a message as a user."`
	Export      roomExportCmd      `cmd:"" help:"Export a room's messages as NDJSON."`
	Import      roomImportCmd      `cmd:"" help:"Import messages from NDJSON; doing it again makes no doubles."`
	Search      roomSearchCmd      `cmd:"" help:"Search messages."`
}

type roomArg struct {
	Tenant string `arg:"" help:"Id of the tenant."`
	Room   string `arg:"" help:"Id of the room; of a direct room the two users with a dot between."`
	apiFlags
}

func (c *roomArg) path(more ...string) string {
	return path(append([]string{"tenants", c.Tenant, "rooms", c.Room}, more...)...)
}

type roomAnswer struct {
	Room tenant.Room `json:"room"`
}

func (r roomAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "id       %s\ntitle    %s\nkind     %s\nclass    %s\nstate    %s\nhistory  %s\nslow     %d s\nmembers  %d\n",
		r.Room.ID, r.Room.Title, r.Room.Kind, r.Room.Class, r.Room.State, r.Room.History, r.Room.SlowSeconds, r.Room.Members)
	if r.Room.Address != "" {
		fmt.Fprintf(w, "address  %s\n", r.Room.Address)
	}
}

// send calls a path of the room and shows the room that it answers.
func (c *roomArg) send(ctx context.Context, std streams, method, p string, body any) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var r roomAnswer
	if err := a.call(ctx, method, p, body, &r); err != nil {
		return err
	}
	return a.show(r, r.print)
}

type roomCreateCmd struct {
	roomArg
	Kind  string `help:"open (all users), announce (all read, named users post), private (members), direct (two users) or shared (with other tenants)." default:"open"`
	Class string `help:"How long messages are kept: std, day, keep or mem." default:"std"`
	Title string `help:"Title for people."`
}

func (c *roomCreateCmd) Run(ctx context.Context, std streams) error {
	body := map[string]string{"id": c.Room, "kind": c.Kind, "class": c.Class, "title": c.Title}
	return c.send(ctx, std, http.MethodPost, path("tenants", c.Tenant, "rooms"), body)
}

type roomListCmd struct {
	tenantArg
	Query string `help:"Part of an id or title."`
}

func (c *roomListCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	all, err := list[tenant.Room](ctx, a, path("tenants", c.Tenant, "rooms"), "rooms", search(c.Query))
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range all {
		rows = append(rows, []string{string(r.ID), string(r.Kind), string(r.Class), strconv.Itoa(r.Members), r.Title})
	}
	return a.show(all, func(w io.Writer) {
		table(w, "No rooms. Make one: parley room create "+c.Tenant+" lobby", []string{"id", "kind", "class", "members", "title"}, rows)
	})
}

type roomShowCmd struct{ roomArg }

func (c *roomShowCmd) Run(ctx context.Context, std streams) error {
	return c.send(ctx, std, http.MethodGet, c.path(), nil)
}

type roomDeleteCmd struct{ roomArg }

func (c *roomDeleteCmd) Run(ctx context.Context, std streams) error {
	return c.remove(ctx, std, "Deleted room "+c.Room+".", c.path())
}

type roomMessagesCmd struct {
	roomArg
	Limit int `help:"How many." default:"50"`
}

func (c *roomMessagesCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	var answer tenant.HistoryPage
	if err := a.call(ctx, http.MethodGet, c.path("messages")+"?limit="+strconv.Itoa(c.Limit), nil, &answer); err != nil {
		return err
	}
	var rows [][]string
	for _, m := range answer.Messages {
		said := strconv.Quote(m.Text)
		if m.Event != nil {
			said = string(m.Event)
		}
		rows = append(rows, []string{strconv.FormatUint(m.Seq, 10), m.Time.Format(time.RFC3339), m.Sender, said})
	}
	return a.show(answer, func(w io.Writer) {
		table(w, "No messages yet. Post one: parley room post "+c.Tenant+" "+c.Room+" USER TEXT", []string{"message", "at", "sender", "text"}, rows)
	})
}

type roomPostCmd struct {
	roomArg
	User string `arg:"" help:"Who posts."`
	Text string `arg:"" help:"What."`
	ID   string `name:"id" help:"Message id: with the same one, posting again does nothing."`
}

func (c *roomPostCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	body := map[string]string{"as": c.User, "text": c.Text}
	if c.ID != "" {
		body["id"] = c.ID
	}
	var answer struct {
		Seq uint64 `json:"seq"`
	}
	if err := a.call(ctx, http.MethodPost, c.path("messages"), body, &answer); err != nil {
		return err
	}
	return a.show(answer, func(w io.Writer) { fmt.Fprintf(w, "Stored as %d.\n", answer.Seq) })
}
