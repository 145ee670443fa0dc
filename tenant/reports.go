package tenant

import (
	"context"
	"fmt"
	"time"
)

// A Report is a message that a user showed to the moderators of its room.
type Report struct {
	ID     int64     `json:"id"`
	Room   RoomID    `json:"room"`
	Seq    uint64    `json:"seq"`
	Sender string    `json:"sender"` // of the message
	By     UserID    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	Closed *Closing  `json:"closed,omitempty"` // nil: it is open
	Cursor string    `json:"cursor,omitempty"` // its place in the list, for Page.After; set by the store
}

// A Closing is what became of a report.
type Closing struct {
	Outcome Outcome   `json:"outcome"`
	Note    string    `json:"note,omitempty"` // empty where another tenant closed it
	Tenant  TenantID  `json:"tenant"`         // whose moderator or administrator did; who, its audit trail says
	At      time.Time `json:"at"`
}

// An Outcome says what a report led to.
type Outcome string

// The outcomes of reports.
const (
	OutcomeActed     Outcome = "acted"     // something was done about the message or its sender
	OutcomeDismissed Outcome = "dismissed" // nothing is wrong with it
)

// A ReportState is which reports are listed.
type ReportState string

// The states of reports.
const (
	AllReports    ReportState = ""
	OpenReports   ReportState = "open"
	ClosedReports ReportState = "closed"
)

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
func (s *Service) Reports(ctx context.Context, a Actor, t TenantID, state ReportState, p Page) ([]Report, error) {
	if state != AllReports && state != OpenReports && state != ClosedReports {
		return nil, Invalid("state", "must be open or closed, or left out")
	}
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	return s.store.Reports(ctx, t, state, p)
}

// CloseReport notes what became of a report. Closing it again with the same outcome changes nothing; with
// another it is a conflict.
func (s *Service) CloseReport(ctx context.Context, a Actor, t TenantID, id int64, outcome Outcome, note string) (Report, error) {
	f := faults{}
	f.check(outcome == OutcomeActed || outcome == OutcomeDismissed, "outcome", "must be acted or dismissed")
	checkText(f, "note", note)
	if err := f.err(); err != nil {
		return Report{}, err
	}
	var report Report
	err := s.writeWith(ctx, a, ScopeModerate, t, func(tx Tx, _ Tenant) (err error) {
		if report, err = tx.Report(ctx, t, id); err != nil {
			return err
		}
		if c := report.Closed; c != nil {
			if c.Outcome != outcome {
				return Errorf(CodeConflict, "the report was closed as %s at %s", c.Outcome, c.At.Format(time.RFC3339))
			}
			return nil
		}
		before := report
		report.Closed = &Closing{Outcome: outcome, Note: note, Tenant: t, At: s.clock()}
		switch closed, err := tx.CloseReport(ctx, id, *report.Closed); {
		case err != nil:
			return err
		case !closed:
			return Errorf(CodeConflict, "another tenant closed the report just now; look at it again")
		}
		return audit(ctx, tx, a, report.Closed.At, t, "report.close", fmt.Sprintf("report:%d", id), before, report)
	})
	return report, err
}
