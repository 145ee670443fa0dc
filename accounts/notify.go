package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/tenant"
	"parley/tenant/subject"
)

// noticeLead is how far a notice is ahead of a Kick that follows. When a connection closes for
// good, nats.go forgets what it has received but not yet given to a callback: without a lead
// two of three clients never heard why they were closed, though the server had told them all.
const noticeLead = 15 * time.Millisecond

// Notify tells a user something on all his connections. When it returns, the server has put
// the notice before whatever those connections get next, a Kick's close among it, and a Kick
// leaves them noticeLead from then on to read it.
func (a *Accounts) Notify(ctx context.Context, account string, u tenant.UserID, what string, notice any) error {
	body, err := json.Marshal(notice)
	if err != nil {
		return fmt.Errorf("notify user %s of %s: %w", u, what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := a.parley.Publish(subject.PlatformNotice(account, u, what), body); err != nil {
		return fmt.Errorf("notify user %s of %s: %w", u, what, err)
	}
	if err := a.parley.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("notify user %s of %s: %w", u, what, err)
	}
	a.kicked.tell(kickKey{account, u})
	return nil
}
