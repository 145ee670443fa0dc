package tenant

import (
	"context"
	"time"
)

// A Report is a message that a user showed to the moderators of its room.
type Report struct {
	Room   RoomID    `json:"room"`
	Seq    uint64    `json:"seq"`
	Sender string    `json:"sender"` // of the message
	By     UserID    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Cursor string    `json:"cursor,omitempty"` // its place in the list, for Page.After; set by the store
}

// NoticeReported tells a moderator of a room that a message was reported.
type NoticeReported struct {
	Room   RoomID `json:"room"`
	Seq    uint64 `json:"seq"`
	By     UserID `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// A Moderator is told of a report.
type Moderator struct {
	Tenant TenantID
	User   UserID
	Room   RoomID // as his tenant names it
}

// maxTold is how many moderators of a room are told of a report.
const maxTold = 50

// Report shows a message to the moderators of its room, and to the tenant's administrators; of a room that
// another tenant shares, to those of the host too. The caller knows that the message exists. Reporting it
// again changes nothing.
func (s *Service) Report(ctx context.Context, t TenantID, u UserID, report Report) error {
	f := faults{}
	checkText(f, "reason", report.Reason)
	if err := f.err(); err != nil {
		return err
	}
	a := AsUser(t, u)
	report.By, report.At = u, s.clock()
	return s.inRoom(ctx, a, t, report.Room, powerRead, func(tx Tx, _ Tenant, _ Room, _ footing) error {
		fresh, err := tx.InsertReport(ctx, t, report)
		if err != nil || !fresh {
			return err
		}
		moderators, err := tx.Moderators(ctx, t, report.Room, maxTold)
		if err != nil {
			return err
		}
		for _, m := range moderators {
			notice := NoticeReported{Room: m.Room, Seq: report.Seq, By: u, Reason: report.Reason}
			if m.Tenant != t {
				notice.By = GuestName(u, t)
			}
			if err := tellLater(ctx, tx, m.Tenant, m.User, "reported", notice); err != nil {
				return err
			}
		}
		return audit(ctx, tx, a, report.At, t, "message.report", "room:"+string(report.Room), nil, report)
	})
}

// Reports lists the messages that users of a tenant reported, or somebody in a room of its, newest first.
func (s *Service) Reports(ctx context.Context, a Actor, t TenantID, p Page) ([]Report, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Reports(ctx, t, p)
}
