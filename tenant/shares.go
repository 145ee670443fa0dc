package tenant

import (
	"context"
	"errors"
	"time"
)

// OfferShare offers a shared room or a service of the tenant to another, whose admin accepts or declines.
func (s *Service) OfferShare(ctx context.Context, a Actor, t TenantID, n NewShare) (Share, error) {
	if err := a.Allow(ScopeAdmin, t); err != nil {
		return Share{}, err
	}
	now := s.clock()
	guest, history, err := n.parse(t, now)
	if err != nil {
		return Share{}, err
	}
	sh := Share{
		ID: newShareID(), Host: t, Guest: guest, Service: n.Service, Title: n.Service, Post: n.Post, History: history, KeepCopy: n.Keep, Status: ShareOffered,
		OfferedAt: now, OfferedBy: a.String(), ExpiresAt: earliest(now.Add(offerLife), n.Until), Until: n.Until,
	}
	err = s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		if n.Service == "" {
			room, err := sharedRoomOf(ctx, tx, t, RoomID(n.Room))
			if err != nil {
				return err
			}
			sh.Room, sh.HostRoom, sh.Title = RoomID(room.Address), room.ID, room.Title
		}
		if err := offerable(ctx, tx, sh); err != nil {
			return err
		}
		if err := tx.InsertShare(ctx, sh); err != nil {
			return orConflict(err, "it is offered to this tenant already, or shared with it")
		}
		if err := tx.Enqueue(ctx, ExpireShare{sh.ID}, sh.ExpiresAt); err != nil {
			return err
		}
		return auditShare(ctx, tx, a, now, "share.offer", nil, &sh)
	})
	if err != nil {
		return Share{}, err
	}
	return sh, nil
}

// sharedRoomOf finds a shared room of the tenant by its id or address.
func sharedRoomOf(ctx context.Context, tx Tx, t TenantID, r RoomID) (Room, error) {
	wrong := Invalid("room", "must be the id of a shared room of yours; make one of kind shared")
	if !ValidID(string(r)) {
		return Room{}, wrong
	}
	room, err := tx.SharedRoom(ctx, t, r)
	if errors.Is(err, ErrNotFound) || err == nil && room.State == RoomDeleted {
		return Room{}, wrong
	}
	return room, err
}

// offerable looks at the guest, and at how many there are.
func offerable(ctx context.Context, tx Tx, sh Share) error {
	status, err := tx.TenantStatus(ctx, sh.Guest)
	if errors.Is(err, ErrNotFound) || err == nil && status != Active {
		return Invalid("guest", "there is no active tenant of this id")
	}
	if err != nil || sh.Service != "" { // a service costs its host nothing
		return err
	}
	guests, err := tx.CountGuests(ctx, sh.Room)
	if err == nil && guests >= maxGuests {
		err = LimitReached("guest", "the room is shared with %d tenants, which is the most; end a share first", maxGuests)
	}
	return err
}

// AcceptShare opens what was offered to the tenant. It is usable when this returns.
func (s *Service) AcceptShare(ctx context.Context, a Actor, t TenantID, id string) (Share, error) {
	sh, err := s.answerShare(ctx, a, t, id, "share.accept", func(tx Tx, sh *Share, now time.Time) error {
		if err := mayShareMore(ctx, tx, t, "share"); err != nil {
			return err
		}
		sh.Status, sh.AcceptedAt, sh.AcceptedBy, sh.ExpiresAt = ShareAccepted, now, a.String(), sh.Until
		if !sh.Until.IsZero() {
			return tx.Enqueue(ctx, ExpireShare{sh.ID}, sh.Until)
		}
		return nil
	})
	if err != nil {
		return Share{}, err
	}
	return sh, s.settleShare(ctx, sh, "the share is accepted")
}

// mayShareMore refuses a tenant whose claims would get too long; field of the body asks for more.
func mayShareMore(ctx context.Context, tx Tx, t TenantID, field string) error {
	n, err := tx.CountShared(ctx, t)
	if err == nil && n >= MaxShared {
		err = LimitReached(field, "the tenant has %d shared rooms, its own and those of others, and services of others, which is the most; end a share first", MaxShared)
	}
	return err
}

// DeclineShare refuses an offer.
func (s *Service) DeclineShare(ctx context.Context, a Actor, t TenantID, id string) (Share, error) {
	return s.answerShare(ctx, a, t, id, "share.decline", func(_ Tx, sh *Share, now time.Time) error {
		sh.Status, sh.EndedAt, sh.EndedBy = ShareDeclined, now, a.String()
		return nil
	})
}

// answerShare is the guest's answer to an offer that still stands.
func (s *Service) answerShare(ctx context.Context, a Actor, t TenantID, id, action string, change func(tx Tx, sh *Share, now time.Time) error) (Share, error) {
	return s.changeShare(ctx, a, t, id, action, func(tx Tx, sh *Share, now time.Time) error {
		switch {
		case sh.Guest != t:
			return Errorf(CodeForbidden, "only the tenant that it is offered to may answer")
		case sh.lapsed(now):
			return Errorf(CodeConflict, "the offer expired at %s; ask for a new one", sh.ExpiresAt.Format(time.RFC3339))
		case sh.Status != ShareOffered:
			return Errorf(CodeConflict, "the share is %s, no offer that waits for an answer", sh.Status)
		}
		status, err := tx.TenantStatus(ctx, sh.Host)
		if err == nil && status != Active {
			err = Errorf(CodeConflict, "the tenant that offers it is not active")
		}
		if err != nil {
			return err
		}
		return change(tx, sh, now)
	})
}

// UpdateShare changes what the host gives, or how the guest calls it.
func (s *Service) UpdateShare(ctx context.Context, a Actor, t TenantID, id string, p SharePatch) (Share, error) {
	f := faults{}
	if p.Title != nil {
		checkText(f, "title", *p.Title)
	}
	f.check(p.Until == nil || p.Until.IsZero() || p.Until.After(s.now()), "until", "must be in the future")
	if err := f.err(); err != nil {
		return Share{}, err
	}
	sh, err := s.changeShare(ctx, a, t, id, "share.update", func(tx Tx, sh *Share, now time.Time) error {
		switch {
		case !sh.open() || sh.lapsed(now):
			return Errorf(CodeConflict, "the share has ended")
		case (p.Post != nil || p.Until != nil) && sh.Host != t:
			return Errorf(CodeForbidden, "only the tenant that shares changes post and until")
		case p.Post != nil && sh.Service != "":
			return Invalid("post", "nobody posts in a service")
		case p.Title != nil && sh.Guest != t:
			return Errorf(CodeForbidden, "title is the guest's own name for what is shared; rename the room itself instead")
		}
		return p.apply(ctx, tx, sh)
	})
	if err != nil || sh.Status != ShareAccepted {
		return sh, err
	}
	return sh, s.settleShare(ctx, sh, "the change is kept")
}

func (p SharePatch) apply(ctx context.Context, tx Tx, sh *Share) error {
	if p.Post != nil {
		sh.Post = *p.Post
	}
	if p.Title != nil {
		sh.Title = *p.Title
	}
	if p.Until == nil {
		return nil
	}
	sh.Until = p.Until.UTC().Truncate(time.Microsecond)
	if sh.Status == ShareAccepted {
		sh.ExpiresAt = sh.Until
	} else {
		sh.ExpiresAt = earliest(sh.OfferedAt.Add(offerLife), sh.Until)
	}
	if sh.ExpiresAt.IsZero() {
		return nil
	}
	return tx.Enqueue(ctx, ExpireShare{sh.ID}, sh.ExpiresAt)
}

// EndShare ends a share or takes an offer back; either side may. The guest's memberships in
// the room go with it, and what its users post or ask is refused when this returns.
func (s *Service) EndShare(ctx context.Context, a Actor, t TenantID, id string) error {
	var lost []Member
	sh, err := s.changeShare(ctx, a, t, id, "share.end", func(tx Tx, sh *Share, now time.Time) (err error) {
		if !sh.open() {
			return Errorf(CodeConflict, "the share is %s already", sh.Status)
		}
		lost, err = endShare(ctx, tx, sh, ShareEnded, a.String(), now)
		return err
	})
	if err != nil {
		return err
	}
	return s.shareEnded(ctx, sh, lost)
}

// ExpireShare ends what its time has ended. It runs at that time, and does nothing where it was put off.
func (s *Service) ExpireShare(ctx context.Context, j ExpireShare) error {
	sh, err := s.store.Share(ctx, j.Share)
	if err == nil && !sh.lapsed(s.clock()) {
		return nil
	}
	var lost []Member
	if err == nil {
		err = s.store.Write(ctx, sh.Host, func(tx Tx, _ Tenant) (err error) {
			before, err := tx.LockShare(ctx, j.Share)
			now := s.clock()
			if err != nil || !before.lapsed(now) {
				return err
			}
			sh = before
			if lost, err = endShare(ctx, tx, &sh, ShareExpired, "system", now); err != nil {
				return err
			}
			if err := tx.UpdateShare(ctx, sh); err != nil {
				return err
			}
			return auditShare(ctx, tx, platform, now, "share.expire", &before, &sh)
		})
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.shareEnded(ctx, sh, lost)
}

func endShare(ctx context.Context, tx Tx, sh *Share, status ShareStatus, by string, now time.Time) (lost []Member, err error) {
	accepted := sh.Status == ShareAccepted
	sh.Status, sh.EndedAt, sh.EndedBy = status, now, by
	lost, err = tx.DeleteGuests(ctx, sh.Host, sh.HostRoom, sh.Guest)
	if err != nil || !accepted || !sh.KeepCopy {
		return lost, err
	}
	return lost, keepCopy(ctx, tx, *sh, lost)
}

// keepCopy makes the guest's room for the frozen copy, which a job fills. Those who were in the shared room read it,
// from where they could: it is the guest's own room from then on.
func keepCopy(ctx context.Context, tx Tx, sh Share, lost []Member) error {
	shared, err := tx.SharedRoom(ctx, sh.Host, sh.HostRoom)
	if err != nil {
		return err
	}
	room := Room{
		Tenant: sh.Guest, ID: copyID(sh.ID), Kind: Private, Class: Keep, Title: sh.Title, State: RoomArchived, History: shared.History,
		CreatedAt: sh.EndedAt,
	}
	if err := tx.InsertRoom(ctx, room); err != nil {
		return err
	}
	for _, m := range lost {
		if m.State != Joined {
			continue
		}
		if err := tx.PutMember(ctx, sh.Guest, Member{Room: room.ID, User: m.User, Role: RoleReader, State: Joined, JoinedAt: m.JoinedAt}); err != nil {
			return err
		}
	}
	if err := tx.Enqueue(ctx, EnsureStream{sh.Guest, Keep}, time.Time{}); err != nil {
		return err
	}
	return tx.Enqueue(ctx, CopyShare{sh.ID}, time.Time{})
}

// shareEnded makes an end take effect, and tells those who are out.
func (s *Service) shareEnded(ctx context.Context, sh Share, lost []Member) error {
	if sh.AcceptedAt.IsZero() {
		return nil
	}
	err := s.settleShare(ctx, sh, "the share is ended")
	guest, errGuest := s.store.Tenant(ctx, sh.Guest)
	if errGuest == nil {
		for _, m := range lost {
			_ = s.accounts.Notify(ctx, guest.Account, m.User, "removed", NoticeRemoved{Room: sh.Room, Reason: "the share has ended"}) // told or not, he is out
		}
	}
	return err
}

// An endedShare is one that ended with what it was of, and who was in it.
type endedShare struct {
	share Share
	lost  []Member
}

// endShares ends offers and shares with their room, or with their host or guest, that is being deleted.
func endShares(ctx context.Context, tx Tx, a Actor, open []Share, now time.Time) (all []endedShare, err error) {
	for _, before := range open {
		e := endedShare{share: before}
		if e.lost, err = endShare(ctx, tx, &e.share, ShareEnded, a.String(), now); err != nil {
			return nil, err
		}
		if err = tx.UpdateShare(ctx, e.share); err != nil {
			return nil, err
		}
		if err = tx.Enqueue(ctx, SettleShare{e.share.Host, e.share.Guest}, time.Time{}); err != nil {
			return nil, err
		}
		if err = auditShare(ctx, tx, a, now, "share.end", &before, &e.share); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func (s *Service) sharesEnded(ctx context.Context, all []endedShare) (err error) {
	for _, e := range all {
		err = errors.Join(err, s.shareEnded(ctx, e.share, e.lost))
	}
	return err
}

// changeShare runs a change of a share of the tenant's, and tells both sides' audit trails.
func (s *Service) changeShare(ctx context.Context, a Actor, t TenantID, id, action string, change func(tx Tx, sh *Share, now time.Time) error) (Share, error) {
	now := s.clock()
	var after Share
	err := s.write(ctx, a, t, func(tx Tx, _ Tenant) error {
		before, err := tx.LockShare(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && !before.involves(t) {
			return NotFound("share")
		}
		if err != nil {
			return err
		}
		after = before
		if err := change(tx, &after, now); err != nil {
			return err
		}
		if err := tx.UpdateShare(ctx, after); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, SettleShare{after.Host, after.Guest}, time.Time{}); err != nil {
			return err
		}
		return auditShare(ctx, tx, a, now, action, &before, &after)
	})
	return after, err
}

// auditShare writes the same entry into the trail of host and guest: each sees what the other did.
func auditShare(ctx context.Context, tx Tx, a Actor, now time.Time, action string, before, after *Share) error {
	var was any
	if before != nil {
		was = *before
	}
	for _, t := range []TenantID{after.Host, after.Guest} {
		if err := audit(ctx, tx, a, now, t, action, "share:"+after.ID, was, *after); err != nil {
			return err
		}
	}
	return nil
}

// settleShare, of a share without a guest only of the host's rooms, brings NATS in line with the rows: first who may post, then who hears it.
func (s *Service) settleShare(ctx context.Context, sh Share, kept string) error {
	if err := s.SettleShare(ctx, SettleShare{sh.Host, sh.Guest}); err != nil {
		return later(kept, err)
	}
	return nil
}

// SettleShare is the job of settleShare. The account of a tenant that is gone is gone with it.
func (s *Service) SettleShare(ctx context.Context, j SettleShare) error {
	host, err := s.store.Tenant(ctx, j.Host)
	if err == nil {
		err = s.streams.EnsureShared(ctx, host)
	}
	for _, t := range []TenantID{j.Guest, j.Host} {
		if t == "" {
			continue
		}
		if errPush := s.accounts.Push(ctx, t); errPush != nil && !errors.Is(errPush, ErrNotFound) {
			err = errors.Join(err, errPush)
		}
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Share returns a share of the tenant's, as host or guest.
func (s *Service) Share(ctx context.Context, a Actor, t TenantID, id string) (Share, error) {
	if err := a.Allow(ScopeRead, t); err != nil {
		return Share{}, err
	}
	sh, err := s.store.Share(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !sh.involves(t) {
		return Share{}, NotFound("share")
	}
	return sh.seen(s.now()), err
}

// Shares lists a tenant's offers and shares, in and out, ended ones too, by id.
func (s *Service) Shares(ctx context.Context, a Actor, t TenantID, p Page) ([]Share, error) {
	if err := s.mayList(ctx, a, t, p); err != nil {
		return nil, err
	}
	shares, err := s.store.Shares(ctx, t, p)
	for i := range shares {
		shares[i] = shares[i].seen(s.now())
	}
	return shares, err
}

// seen is a share as it is to be shown: one that has lapsed is expired, though its job has not run yet.
func (s Share) seen(now time.Time) Share {
	if s.lapsed(now) {
		s.Status = ShareExpired
	}
	if s.KeepCopy && !s.AcceptedAt.IsZero() && !s.EndedAt.IsZero() {
		s.Copy = copyID(s.ID)
	}
	return s
}

// earliest is the sooner of two times, of which the second may be unset.
func earliest(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// orConflict gives a conflict words of its own.
func orConflict(err error, message string) error {
	if errors.Is(err, ErrConflict) {
		return Errorf(CodeConflict, "%s", message)
	}
	return err
}
