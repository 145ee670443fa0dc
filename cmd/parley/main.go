// Command parley runs Parley and talks to one that runs: `parley serve` is the
// server, every other subcommand a client of its HTTP API.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of tenants, also on machines that have none

	"github.com/alecthomas/kong"
)

// cli is the command line; the file named like a subcommand holds it.
type cli struct {
	Serve       serveCmd       `cmd:"" help:"Run Parley: NATS, Postgres, the callout, the chat service and the HTTP API."`
	Tenant      tenantCmd      `cmd:"" help:"Make, show, change, suspend and delete tenants; their audit trail and refusals."`
	User        userCmd        `cmd:"" help:"Make, show, change, restore and delete the users of a tenant."`
	Room        roomCmd        `cmd:"" help:"Make, show, change and delete the rooms of a tenant; read and post messages."`
	Member      memberCmd      `cmd:"" help:"Put users into rooms and take them out."`
	Token       tokenCmd       `cmd:"" help:"Print a token that a user connects with."`
	Creds       credsCmd       `cmd:"" help:"Print a .creds file that a user connects with."`
	Key         keyCmd         `cmd:"" help:"Make, list and remove the keys of a tenant."`
	Share       shareCmd       `cmd:"" help:"Share rooms with other tenants: offer, accept, end."`
	Revoke      revokeCmd      `cmd:"" help:"Throw a user out, everywhere and at once."`
	Hold        holdCmd        `cmd:"" help:"Keep what rooms lose, for a court or a regulator."`
	Connections connectionsCmd `cmd:"" help:"List who is connected."`
	Doctor      doctorCmd      `cmd:"" help:"Look whether all that a running server needs works, and say what to do where it does not."`
	Top         topCmd         `cmd:"" help:"Watch the tenants by connections, messages a second or storage."`
	NATS        natsCmd        `cmd:"" name:"nats" help:"Configure the servers of a NATS cluster."`
	Bench       benchCmd       `cmd:"" help:"Post into a room and listen to it: how fast, and whether anything is lost or doubled."`
	Chat        chatCmd        `cmd:"" help:"Chat in the terminal."`
}

// streams are the standard ones, so that tests can take their place.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run carries out one command line and returns its exit code: 0, 1 when the
// command was refused, 2 when the command line itself is wrong.
func run(ctx context.Context, args []string, std streams) int {
	var c cli
	code := -1
	parser, err := kong.New(&c,
		kong.Name("parley"),
		kong.Description("Chat infrastructure for SaaS companies, on NATS.\n\nStart with `parley serve`, then `parley tenant create ID` in a second terminal."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Vars{"data": defaultData()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		fmt.Fprintln(std.err, "parley:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // --help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintln(std.err, "parley:", err)
		fmt.Fprintln(std.err, "Try `parley --help`, or `parley COMMAND --help`.")
		return 2
	}
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(std.err, "parley:", err)
		return 1
	}
	return 0
}

// defaultData is where a server keeps its data, and where the other subcommands look for one that runs.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/parley" // Postgres runs as another user, who can't enter a folder under /root
	}
	return "./parley-data"
}
