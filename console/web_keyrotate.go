package console

import (
	"slices"
	"strconv"
	"time"

	"parley/console/ui"
	"parley/tenant"
)

const day = 24 * time.Hour

// overlaps are how long an old key may stay good, as the page offers it.
var overlaps = func() (all []ui.Option) {
	for _, o := range []struct {
		d     time.Duration
		label string
	}{
		{tenant.DefaultOverlap, "in a week"}, {0, "now: what it opened is closed at once"}, {time.Hour, "in an hour"}, {day, "in a day"}, {30 * day, "in 30 days"},
	} {
		all = append(all, ui.Option{Value: strconv.Itoa(int(o.d.Seconds())), Label: o.label})
	}
	return all
}()

// rotateForm asks for what is new about a key of a kind.
func (q *request) rotateForm(k tenant.Key) ui.Form {
	f := ui.Form{Action: q.base() + "/keys/" + k.ID + "/rotate", Submit: "Rotate"}
	renewed := k.Kind.Renewed()
	for _, field := range keyKindOf(string(k.Kind)).fields {
		if slices.Contains(renewed, field.Name) {
			f.Fields = append(f.Fields, field)
		}
	}
	f.Fields = append(f.Fields, ui.Field{Name: "overlap_seconds", Label: "The old key ends", Options: overlaps})
	f.Set("alg", k.Alg)
	return f
}

func (w *web) showRotateKey(q *request) (ui.View, error) {
	k, err := w.c.service.Key(q.Context(), q.actor(), q.tenant, q.PathValue("key"))
	if err != nil {
		return nil, err
	}
	return q.rotateView(k, q.rotateForm(k)), nil
}

func (q *request) rotateView(k tenant.Key, form ui.Form) ui.View {
	return &ui.KeyRotation{
		Page: ui.Page{Title: "Rotate " + k.Name, Area: "keys"}, Keys: q.base() + "/keys", Name: k.Name, Kind: keyKindOf(string(k.Kind)).label,
		Used: k.LastUsed, Ends: k.EndsAt, Form: form, Secret: len(k.Kind.Renewed()) == 0, May: q.may(tenant.ScopeAdmin),
	}
}

func (w *web) doRotateKey(q *request) (outcome, error) {
	k, err := w.c.service.Key(q.Context(), q.actor(), q.tenant, q.PathValue("key"))
	if err != nil {
		return outcome{}, err
	}
	form := q.rotateForm(k)
	r := tenant.Rotation{
		Alg: q.typed("alg"), PublicKey: q.typed("public_key"), URL: q.typed("url"), ClientID: q.typed("client_id"), Certificate: q.typed("certificate"),
	}
	seconds, err := strconv.ParseInt(q.typed("overlap_seconds"), 10, 64)
	var made tenant.RotatedKey
	if r.OverlapSeconds = &seconds; err != nil {
		err = tenant.Invalid("overlap_seconds", "must be a number of seconds")
	} else {
		made, err = w.c.service.RotateKey(q.Context(), q.actor(), q.tenant, k.ID, r)
	}
	if err != nil {
		return q.correct(&form, err, func() (ui.View, error) { return q.rotateView(k, form), nil })
	}
	if shown := q.keySecret(made.New, made.Secret); shown != nil {
		return outcome{to: shown.Back.Value, view: shown}, nil
	}
	return to(q.base()+"/keys", "%s is rotated; the new key is %s, and good from now on.", k.Name, made.New.ID), nil
}
