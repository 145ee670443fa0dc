package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

// Bounds of what still counts as healthy.
const (
	leastDisk    = 1 << 30 // bytes
	leastShare   = 20      // one part of so many of the disk
	renewBefore  = 14 * 24 * time.Hour
	checkupBound = 10 * time.Second // of one check
	// clockBehind is how far the clock may be behind the newest claims: each change of one second takes the next.
	clockBehind = 5 * time.Minute
)

func good(format string, args ...any) tenant.Check {
	return tenant.Check{OK: true, Found: fmt.Sprintf(format, args...)}
}

func fault(remedy, format string, args ...any) tenant.Check {
	return tenant.Check{Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

type checkup struct {
	Body struct {
		OK     bool           `json:"ok" doc:"All checks are"`
		Checks []tenant.Check `json:"checks" nullable:"false"`
	} `nameHint:"Checkup"`
}

// getHealth answers 200 also where something is at fault: the answer says what.
func (c *console) getHealth(ctx context.Context, _ *struct{}) (*checkup, error) {
	all, err := c.checks(ctx, callOf(ctx).actor)
	out := &checkup{}
	out.Body.Checks = all
	out.Body.OK = !slices.ContainsFunc(all, func(one tenant.Check) bool { return !one.OK })
	return out, err
}

// checks looks at all that a running server needs, one after the other.
func (c *console) checks(ctx context.Context, actor tenant.Actor) (all []tenant.Check, err error) {
	if err := actor.AllowOperator(); err != nil {
		return nil, err
	}
	backlog := sync.OnceValues(func() (tenant.Backlog, error) { // three checks read it
		within, cancel := context.WithTimeout(ctx, checkupBound)
		defer cancel()
		return c.service.Backlog(within, actor)
	})
	for _, one := range []struct {
		name string
		look func(context.Context) tenant.Check
	}{
		{"postgres", func(ctx context.Context) tenant.Check { return c.checkDatabase(ctx, backlog) }},
		{"servers", c.checkServers},
		{"accounts", func(ctx context.Context) tenant.Check { return c.checkAccounts(ctx, backlog) }},
		{"projector", c.checkProjector},
		{"jobs", func(ctx context.Context) tenant.Check { return c.checkJobs(ctx, backlog) }},
		{"audit", c.checkTrail},
		{"disk", c.checkDisk},
		{"certificate", c.checkCertificate},
	} {
		within, cancel := context.WithTimeout(ctx, checkupBound)
		got := one.look(within)
		cancel()
		got.Name = one.name
		all = append(all, got)
	}
	return all, nil
}

const (
	askDatabase = "See that Postgres runs and can be reached from here; with --database-url, from this machine to that address."
	askServers  = "See that every NATS server runs and can reach the others; look at its log. Revocations wait for it."
)

// unknown is the check of what could not be looked at. The reason goes to the log alone where it is not for people.
func (c *console) unknown(ctx context.Context, remedy string, err error) tenant.Check {
	e, readable := tenant.AsError(err)
	if !readable {
		c.log.WarnContext(ctx, "checkup", "error", err)
		return fault(remedy, "this can't be found out; the server's log says why")
	}
	return fault(remedy, "%s", e.Message)
}

func (c *console) checkDatabase(ctx context.Context, backlog func() (tenant.Backlog, error)) tenant.Check {
	began := time.Now()
	if err := c.answers.db.Ping(ctx); err != nil {
		return fault(askDatabase, "the database does not answer")
	}
	if b, err := backlog(); err == nil && b.Forgotten > 0 {
		return fault("Look through the audit trails for entries that end in .again, and for what else changed after the backup: members, bans, roles and settings are as they were then.",
			"it was restored at %s to a time before %d revocations and restorations; who was revoked is again, and all people have to log in", b.Found.Format(time.RFC3339), b.Forgotten)
	}
	return good("answers in %.1f ms", float64(time.Since(began).Microseconds())/1000)
}

func (c *console) checkServers(ctx context.Context) tenant.Check {
	all, err := c.platform.Servers(ctx)
	if err != nil {
		return c.unknown(ctx, askServers, err)
	}
	var silent []string
	for _, s := range all {
		if !s.Answers {
			silent = append(silent, s.Name)
		}
	}
	if len(silent) > 0 || len(all) == 0 {
		return fault(askServers, "%d of %d don't answer: %s", len(silent), len(all), strings.Join(silent, ", "))
	}
	return good("%d of %d answer", len(all), len(all))
}

func (c *console) checkAccounts(ctx context.Context, backlog func() (tenant.Backlog, error)) tenant.Check {
	b, err := backlog()
	if err != nil {
		return c.unknown(ctx, askDatabase, err)
	}
	if len(b.Behind) > 0 {
		return fault("A server does not take their newest claims: see that all servers answer. They are pushed again by themselves.",
			"not every server has the newest claims of: %s", strings.Join(b.Behind, ", "))
	}
	if ahead := time.Until(b.Newest); ahead > clockBehind {
		return fault("Set the clock. Until then tokens last longer than they should; revocations hold, since claims are signed with a time behind the newest all the same.",
			"the clock is %s behind the newest claims: it was set back", ahead.Round(time.Second))
	}
	return good("every server has the newest claims of all %d", b.Accounts)
}

func (c *console) checkProjector(ctx context.Context) tenant.Check {
	p, err := c.platform.Projection(ctx)
	switch {
	case err != nil:
		return c.unknown(ctx, "See that the NATS servers and Postgres answer.", err)
	case !p.Led:
		return fault("Start a server with the role chat; one of them leads within seconds.", "nobody projects: what is posted can't be read later")
	case len(p.Missing) > 0:
		return fault("They are made again by themselves within seconds; where not, look at the log and at the disks of the servers.",
			"the servers don't have %s", some(p.Missing))
	case len(p.Behind) > 0:
		return fault("Look at the log of the server that projects, and whether Postgres is slow.", "new messages can't be read in %s", some(p.Behind))
	}
	return good("all %d streams are projected", p.Streams)
}

// some names the first of many.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (c *console) checkJobs(ctx context.Context, backlog func() (tenant.Backlog, error)) tenant.Check {
	b, err := backlog()
	if err != nil {
		return c.unknown(ctx, askDatabase, err)
	}
	if b.Failed > 0 {
		return fault("They are tried again by themselves; the console's page Health says when, and runs them at once.", "%d failed, the last ones: %s", b.Failed, strings.Join(b.Failing, "; "))
	}
	return good("none failed")
}

func (c *console) checkTrail(ctx context.Context) tenant.Check {
	t, err := c.platform.Trail(ctx)
	switch {
	case err != nil:
		return c.unknown(ctx, askDatabase, err)
	case t.Fault != "":
		return fault("Records were changed with the database's own rights: compare with a backup. Where you restored the database yourself, delete audit.head in the data folder and start again.",
			"%s; %d entries before it are as they were", t.Fault, t.Entries)
	case !t.Unsealed.IsZero():
		return fault("See the server's log: it can't write to Postgres, or not to its data folder.", "entries wait for their seal since %s", t.Unsealed.UTC().Format(time.RFC3339))
	}
	if t.At.IsZero() {
		return good("it is long, and still looked through for the first time since the start")
	}
	return good("all %d sealed entries are as they were, looked at %s", t.Entries, t.At.UTC().Format(time.RFC3339))
}

func (c *console) checkDisk(ctx context.Context) tenant.Check {
	d, err := c.platform.Disk()
	if err != nil {
		return c.unknown(ctx, "See that the data folder is there and can be read.", err)
	}
	found := fmt.Sprintf("%s of %s are free in the data folder", ui.ByteSize(d.Limit-d.Used), ui.ByteSize(d.Limit))
	if free := d.Limit - d.Used; free < leastDisk || free < d.Limit/leastShare {
		return fault("Make room, or lower what tenants may store: a full disk stops the streams and Postgres.", "%s", found)
	}
	return good("%s", found)
}

func (c *console) checkCertificate(context.Context) tenant.Check {
	expires := c.platform.CertificateExpires()
	if expires.IsZero() {
		return good("none: plain, for loopback and behind a proxy")
	}
	found := "it expires at " + expires.UTC().Format(time.RFC3339)
	if time.Until(expires) < renewBefore {
		return fault("Renew it in the files of --tls-cert and --tls-key; they are read again without a restart.", "%s", found)
	}
	return good("%s", found)
}
