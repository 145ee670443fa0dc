package tenant

// Usage is what a tenant uses of its limits now.
type Usage struct {
	Messages    MessageUse         `json:"messages"`
	Storage     map[Class]ClassUse `json:"storage"` // of the classes that the tenant has used
	Connections Use                `json:"connections"`
	Users       Use                `json:"users"`
	Rooms       Use                `json:"rooms"` // direct ones aside
}

// A Use is a count beside its limit.
type Use struct {
	Used  int64 `json:"used"`
	Limit int64 `json:"limit"`
}

// MessageUse counts messages of users.
type MessageUse struct {
	Stored int64 `json:"stored"` // since the tenant began
	Kept   int64 `json:"kept"`   // those that retention has left, deleted ones among them
}

// ClassUse is what the stream of a retention class holds.
type ClassUse struct {
	Messages uint64 `json:"messages"` // events among them
	Bytes    uint64 `json:"bytes"`
	Limit    int64  `json:"limit"` // bytes
}

// A UsageDay is what a tenant used on a day by UTC. The last one is today so far.
type UsageDay struct {
	Day         string `json:"day"`         // as 2026-11-25
	Messages    int64  `json:"messages"`    // stored on that day
	Bytes       int64  `json:"bytes"`       // held at its end, in all classes
	Connections int64  `json:"connections"` // the most that were seen at once
	Users       int64  `json:"users"`       // at its end
	Rooms       int64  `json:"rooms"`
}

// MaxUsageDays is how many days of usage are kept.
const MaxUsageDays = 400
