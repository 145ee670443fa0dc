package tenant

import "time"

// Retention is how long a tenant keeps its messages, and what happens where a class has no room
// for more. Zero means the default.
type Retention struct {
	StdSeconds int64    `json:"std_seconds,omitempty" doc:"Age of the class std; 0: 90 days"`
	WhenFull   WhenFull `json:"when_full,omitempty" enum:"discard_old,refuse_new" doc:"What a class that holds storage_bytes does with a post; absent: discard_old"`
}

// WhenFull is what a class does with a post when it holds storage_bytes already.
type WhenFull string

// What a full class does. A post that is refused gets the error 10077 in its PubAck.
const (
	DiscardOld WhenFull = "discard_old"
	RefuseNew  WhenFull = "refuse_new"
)

const (
	stdAge    = 90 * 24 * time.Hour
	minStdAge = time.Minute
	maxStdAge = 3650 * 24 * time.Hour
	// The longest day of a clock that goes back two hours (Antarctica/Troll), and an hour in which
	// nobody may be there to remove it: the streams forget by themselves what nobody removed at midnight.
	dayAge = 27 * time.Hour
	memAge = time.Hour
)

// Age is how old a message of a class becomes; 0 is no bound. The class day ends at midnight, and at this age at the latest.
func (r Retention) Age(c Class) time.Duration {
	switch c {
	case Day:
		return dayAge
	case Mem:
		return memAge
	case Keep:
		return 0
	}
	if r.StdSeconds == 0 {
		return stdAge
	}
	return time.Duration(r.StdSeconds) * time.Second
}

// Refuses reports whether a full class refuses posts, where it else discards its oldest messages.
func (r Retention) Refuses() bool { return r.WhenFull == RefuseNew }

func (r Retention) check(f faults) {
	age := time.Duration(r.StdSeconds) * time.Second
	ok := r.StdSeconds == 0 || r.StdSeconds > 0 && r.StdSeconds <= int64(maxStdAge/time.Second) && age >= minStdAge
	f.check(ok, "retention.std_seconds", "must be 0 (90 days) or 60 to 315360000 (ten years)")
	f.check(r.WhenFull == "" || r.WhenFull == DiscardOld || r.WhenFull == RefuseNew,
		"retention.when_full", "must be discard_old or refuse_new")
}

// RetentionPatch holds what changes; nil stays.
type RetentionPatch struct {
	StdSeconds *int64
	WhenFull   *WhenFull
}

func (p RetentionPatch) apply(r Retention) Retention {
	if p.StdSeconds != nil {
		r.StdSeconds = *p.StdSeconds
	}
	if p.WhenFull != nil {
		r.WhenFull = *p.WhenFull
	}
	return r
}
