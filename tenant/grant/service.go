package grant

import (
	"parley/tenant"
	"parley/tenant/subject"
)

// ForService grants a backend what DESIGN.md section 5 gives it: it posts as itself in every
// room but direct ones and reads all of those, asks the chat service, and answers requests. It
// is the same for all backends, since no membership adds to it or takes away.
//
// It may answer anywhere below _INBOX, and on what the server makes for requests of other tenants, and
// nowhere else: whoever can be made to answer on a subject of the requester's choice would store
// text as somebody else.
func ForService(t tenant.TenantID, u tenant.UserID) Grant { return forBackend(t, u, true) }

func forBackend(t tenant.TenantID, u tenant.UserID, shared bool) Grant {
	b := builder{tenant: t, user: u}
	b.ask()
	b.pub = append(b.pub, subject.AllInboxes, subject.AllAnswers)
	b.sub = append(b.sub, subject.Notice(u, subject.Any), subject.Inboxes(u), subject.AllServices)
	for _, k := range []tenant.Kind{tenant.Open, tenant.Announce, tenant.Private} {
		p := subject.Post{Class: subject.Any, Kind: k, Room: subject.Any}
		b.post(p)
		b.read(p)
	}
	if shared {
		b.shared(subject.Any, tenant.Rights{Read: true, Post: true})
	}
	return b.grant()
}
