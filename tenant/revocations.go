package tenant

import (
	"encoding/json"
	"time"
)

// A Recorded is an entry of the audit trail that took something away, or gave it back. It is kept outside of the
// database too: a database that was restored from a backup would have forgotten it.
type Recorded struct {
	ID     int64           `json:"id"` // in the trail; a restored database gives it again, with another At
	At     time.Time       `json:"at"`
	Tenant TenantID        `json:"tenant"`
	Action string          `json:"action"`
	Object string          `json:"object"`
	After  json.RawMessage `json:"after,omitempty"`
}
