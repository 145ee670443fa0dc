package tenant

import "fmt"

// Limits bound what a tenant uses. Zero means what the plan says.
type Limits struct {
	Connections        int64 `json:"connections,omitempty"`
	Users              int64 `json:"users,omitempty"`
	Rooms              int64 `json:"rooms,omitempty"`
	StorageBytes       int64 `json:"storage_bytes,omitempty"` // for each retention class
	MessageBytes       int64 `json:"message_bytes,omitempty"`
	MessagesPerSecond  int64 `json:"messages_per_second,omitempty"`  // of one user
	ConnectionsPerUser int64 `json:"connections_per_user,omitempty"` // 0 after the plan: no limit
}

// Plan is what a tenant gets where its own limits say nothing.
var Plan = Limits{
	Connections:       10_000,
	Users:             100_000,
	Rooms:             10_000,
	StorageBytes:      1 << 30,
	MessageBytes:      64 << 10,
	MessagesPerSecond: 200,
}

// maxLimits is the most an operator can give: what one NATS account of a cell bears.
var maxLimits = Limits{
	Connections:        1_000_000,
	Users:              10_000_000,
	Rooms:              1_000_000,
	StorageBytes:       1 << 44,
	MessageBytes:       1 << 20,
	MessagesPerSecond:  100_000,
	ConnectionsPerUser: 10_000,
}

// Effective fills what l leaves open from the plan.
func (l Limits) Effective(plan Limits) Limits {
	theirs := plan.fields()
	for i, f := range l.fields() {
		if *f.value == 0 {
			*f.value = *theirs[i].value
		}
	}
	return l
}

type limitField struct {
	name  string
	value *int64
}

func (l *Limits) fields() []limitField {
	return []limitField{
		{"connections", &l.Connections},
		{"users", &l.Users},
		{"rooms", &l.Rooms},
		{"storage_bytes", &l.StorageBytes},
		{"message_bytes", &l.MessageBytes},
		{"messages_per_second", &l.MessagesPerSecond},
		{"connections_per_user", &l.ConnectionsPerUser},
	}
}

// set changes one limit by its JSON name, and reports whether there is one of that name.
func (l *Limits) set(name string, v int64) bool {
	for _, f := range l.fields() {
		if f.name == name {
			*f.value = v
			return true
		}
	}
	return false
}

// check adds what is out of range to f.
func (l Limits) check(f faults) {
	most := maxLimits.fields()
	for i, v := range l.fields() {
		f.check(*v.value >= 0 && *v.value <= *most[i].value, "limits."+v.name,
			fmt.Sprintf("must be 0 (the plan's) to %d", *most[i].value))
	}
}
