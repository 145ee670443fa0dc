package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"parley/tenant"
	"parley/tenant/subject"
)

// A SharedRoom is what a room has that tenants share. Its messages name the users of other
// tenants <user>@<tenant>.
type SharedRoom struct {
	Address tenant.RoomID              // what stands for the room in subjects
	Tenant  tenant.TenantID            // the user's own
	Host    tenant.TenantID            // the room's
	Tenants map[string]tenant.TenantID // whose users post there, by account
}

// parseShared takes only what may stand in a subject, or be shown as somebody's tenant.
func parseShared(w SharedRoom) (*SharedRoom, error) {
	ids := []string{string(w.Address), string(w.Tenant), string(w.Host)}
	for account, of := range w.Tenants {
		if !subject.ValidAccount(account) {
			return nil, errForeign
		}
		ids = append(ids, string(of))
	}
	for _, id := range ids {
		if !tenant.ValidID(id) {
			return nil, errForeign
		}
	}
	return &w, nil
}

// name is what the user calls somebody whom a user of a tenant calls u.
func (s *SharedRoom) name(u string, by tenant.TenantID) string {
	id, of, foreign := strings.Cut(u, "@")
	if !foreign {
		of = string(by)
	}
	if of == string(s.Tenant) {
		return id
	}
	return id + "@" + of
}

// errStranger says that a message is of an account that the room's tenants, as they are known, don't have.
var errStranger = errors.New("a message of another tenant")

// locate finds who spoke in a room by the subject of a live message. Of a shared room by is his tenant.
func (r Room) locate(subj string) (sender string, by tenant.TenantID, err error) {
	if r.Shared == nil {
		p, ok := subject.ParseLive(subj)
		if !ok || !r.holds(p) {
			return "", "", errJunk
		}
		return p.Sender, "", nil
	}
	account, p, ok := subject.ParseLiveShared(subj)
	if !ok || p.Room != r.Shared.Address {
		return "", "", errJunk
	}
	by, known := r.Shared.Tenants[account]
	switch {
	case !known:
		return "", "", errStranger
	case p.Sender != tenant.System:
		return r.Shared.name(p.Sender, by), by, nil
	case by != r.Shared.Host:
		return "", "", errJunk // the platform speaks under the host's account alone
	}
	return p.Sender, by, nil
}

// rename puts the names in a message of a user of by's, or in an event of the host's, as the user has them.
func (s *SharedRoom) rename(m *Message, by tenant.TenantID) {
	for i, u := range m.Mentions {
		m.Mentions[i] = s.name(u, by)
	}
	if m.Event == nil {
		return
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(m.Event.Raw, &fields) != nil {
		return // parseEvent has seen an object
	}
	for key, u := range map[string]*string{"user": &m.Event.User, "by": &m.Event.By} {
		if *u != "" {
			*u = s.name(*u, by)
			fields[key], _ = json.Marshal(*u) // a string always encodes
		}
	}
	m.Event.Raw, _ = json.Marshal(fields)
}

// participants are the tenants of a listener's room: who takes part changes while it listens.
type participants struct {
	mu        sync.Mutex
	shared    *SharedRoom
	strangers map[string]bool // accounts that are not among them; false: they were asked for in vain
}

// participating is the listener's room with those who take part now.
func (l *Listener) participating() Room {
	if l.room.Shared == nil {
		return l.room
	}
	l.tenants.mu.Lock()
	defer l.tenants.mu.Unlock()
	r := l.room
	r.Shared = l.tenants.shared
	return r
}

// meet notes a message of an unknown account; false where it was asked for in vain.
func (l *Listener) meet(subj string) bool {
	account, _, _ := subject.ParseLiveShared(subj)
	l.tenants.mu.Lock()
	defer l.tenants.mu.Unlock()
	if ask, known := l.tenants.strangers[account]; known {
		return ask
	}
	if l.tenants.strangers == nil {
		l.tenants.strangers = map[string]bool{}
	}
	l.tenants.strangers[account] = true
	return true
}

// acquaint asks who takes part, where strangers were met.
func (l *Listener) acquaint(ctx context.Context) error {
	l.tenants.mu.Lock()
	var met []string
	for account, ask := range l.tenants.strangers {
		if ask {
			met = append(met, account)
		}
	}
	l.tenants.mu.Unlock()
	if len(met) == 0 {
		return nil
	}
	r, err := l.c.Room(ctx, string(l.room.ID))
	if err != nil || r.Shared == nil {
		return err
	}
	l.tenants.mu.Lock()
	defer l.tenants.mu.Unlock()
	for _, account := range met {
		l.tenants.strangers[account] = false
		if _, takesPart := r.Shared.Tenants[account]; takesPart {
			delete(l.tenants.strangers, account)
		}
	}
	l.tenants.shared = r.Shared
	return nil
}
