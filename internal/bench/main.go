// Command bench measures what Parley costs beside a bare nats-server of the same version:
// connects, posts, deliveries and revocations. It runs the real program with its private
// Postgres, and the bare servers, each in a child process, and is the clients itself. It
// prints tables for people; it decides nothing, and no test depends on its numbers.
//
//	go run ./internal/bench [-only PART,PART] [-short] [-cpuprofile PREFIX]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// longest bounds a whole run, whatever hangs.
const longest = 15 * time.Minute

// parts are what can be measured, in the order of measuring.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"connects", connects},
	{"posts", posts},
	{"delivery", delivery},
	{"revoke", revoke},
	{"memory", memory},
	{"rights", rights},
	{"member", member},
	{"back", back},
	{"shares", shares},
	{"rooms", rooms},
	{"cluster", clusterRevoke},
}

// bench is one run.
type bench struct {
	out     io.Writer
	short   bool
	plain   *process // nats-server with static users
	jwts    *process // nats-server with users of an operator
	callout *process // nats-server with a callout that checks nothing
	parley  *process
	api     *api
	account tenantOf
}

// count is a number of operations for a full run or a short one.
func (b *bench) count(n int) int {
	if b.short {
		return max(n/10, 10)
	}
	return n
}

// rounds is how often each variant is measured.
func (b *bench) rounds() int {
	if b.short {
		return 2
	}
	return 7
}

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(exitCode(runChild(role)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(exitCode(run(ctx, os.Args[1:])))
}

func exitCode(err error) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "comma-separated `parts` to run: "+strings.Join(partNames(), ", ")+" (default all)")
	short := flags.Bool("short", false, "a tenth of the operations: whether it works, not how fast it is")
	profile := flags.String("cpuprofile", "", "write a CPU profile of the Parley process for each part to `PREFIX`.PART.pprof")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	wanted, err := wantedParts(*only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return benchmark(ctx, wanted, *short, *profile)
}

func partNames() (all []string) {
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

func wantedParts(only string) ([]string, error) {
	all := partNames()
	if only == "" {
		return all, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("-only: no part %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	return wanted, nil
}

// benchmark starts the servers, measures, and takes everything away again.
func benchmark(ctx context.Context, wanted []string, short bool, profile string) (err error) {
	b := &bench{out: os.Stdout, short: short}
	dir, err := folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(), os.RemoveAll(dir)) }()
	if err := b.start(ctx, dir); err != nil {
		return err
	}
	if err := b.introduce(ctx); err != nil {
		return err
	}
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		begun := time.Now()
		if err := b.profiled(ctx, profile, p.name, p.run); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(b.out, "(%s took %s; load average %s)\n", p.name, time.Since(begun).Round(time.Second), loadAverage())
	}
	return nil
}

// folder makes a folder that Postgres can pass through as its own user.
func folder() (string, error) {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711) //nolint:gosec // G302: see above; what is in it is closed itself
}

func (b *bench) start(ctx context.Context, dir string) (err error) {
	if b.plain, err = startChild(ctx, rolePlain, dir); err != nil {
		return err
	}
	if b.jwts, err = startChild(ctx, roleOperator, dir); err != nil {
		return err
	}
	if b.callout, err = startChild(ctx, roleCallout, dir); err != nil {
		return err
	}
	if b.parley, err = startChild(ctx, roleParley, dir); err != nil {
		return err
	}
	b.api = newAPI(b.parley.HTTP, b.parley.Token)
	b.account, err = b.api.furnish(ctx)
	return err
}

func (b *bench) stop() error {
	var errs []error
	for _, p := range []*process{b.parley, b.callout, b.jwts, b.plain} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}

// idle is how long the servers are watched doing nothing.
const idle = 2 * time.Second

// introduce says where and how this was measured, and what the servers cost when nobody asks anything.
func (b *bench) introduce(ctx context.Context) error {
	fmt.Fprintf(b.out, "%s, nats-server %s, %s/%s, %d CPUs, load average %s\n", runtime.Version(), server.VERSION,
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), loadAverage())
	fmt.Fprintf(b.out, "Idle, CPU for each second:")
	for _, p := range []*process{b.plain, b.jwts, b.callout, b.parley} {
		before, err := p.spent()
		if err != nil {
			return err
		}
		if err := pause(ctx, idle); err != nil {
			return err
		}
		after, err := p.spent()
		if err != nil {
			return err
		}
		used := after.minus(before)
		fmt.Fprintf(b.out, " %s %s;", p.role, millis((used.server+used.database)/(idle/time.Second)))
	}
	fmt.Fprintln(b.out)
	return nil
}

// loadAverage is the machine's over a minute: what else ran.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bench) profiled(ctx context.Context, prefix, part string, run func(context.Context, *bench) error) error {
	if prefix == "" {
		return run(ctx, b)
	}
	if err := b.parley.profile(prefix + "." + part + ".pprof"); err != nil {
		return err
	}
	return errors.Join(run(ctx, b), b.parley.profile(""))
}
