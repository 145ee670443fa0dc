package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"parley/tenant"
	"parley/tenant/subject"
)

// comings are users who came or went, by account. Whether they are here is to be read from the
// rows, which were written before it is told.
type comings map[string][]tenant.UserID

func (c comings) add(account string, u tenant.UserID) { c[account] = append(c[account], u) }

// tell publishes them to the chat roles. What a broken connection loses is found when it is looked for.
func (c comings) tell(parley *nats.Conn, log *slog.Logger) {
	if parley == nil {
		return
	}
	for account, users := range c {
		body, err := json.Marshal(tenant.Comings{Users: users})
		if err == nil {
			err = parley.Publish(subject.Presence(account), body)
		}
		if err != nil {
			log.Warn("comings and goings not told", "account", account, "error", err)
		}
	}
}

// seenEvery is how exactly last_seen is known of users whose end nobody hears of, as in a crash.
const seenEvery = time.Minute

const touchPresence = `
INSERT INTO presence (tenant_id, user_id, last_seen)
SELECT DISTINCT u.tenant_id, u.user_id, $2::timestamptz
FROM sessions s JOIN tenants t USING (account) JOIN users u ON u.tenant_id = t.tenant_id AND u.user_id = s.user_id
WHERE s.server_id = ANY ($1)
ON CONFLICT (tenant_id, user_id) DO UPDATE SET last_seen = excluded.last_seen`

// touchPresence writes that whoever is connected to a known server is seen now.
func (a *Accounts) touchPresence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if _, err := a.pool.Exec(ctx, touchPresence, a.nodes.known(), a.now()); err != nil {
		return fmt.Errorf("write who is seen: %w", err)
	}
	return nil
}

// keepSeen touches every minute, and once more when ctx ends: then the connections end too.
func (a *Accounts) keepSeen(ctx context.Context) {
	every := time.NewTicker(seenEvery)
	defer every.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-every.C:
		}
		if err := a.touchPresence(context.WithoutCancel(ctx)); err != nil {
			a.log.Warn("presence not kept", "error", err)
		}
	}
}
