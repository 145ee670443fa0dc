package authcallout

import (
	"time"

	"parley/tenant"
)

// What client_info says of the connections that are let in.
const (
	kindClient    = "Client"
	typeNATS      = "nats"
	typeWebSocket = "websocket"
)

// maxToken bounds the token field in bytes, before anything is decoded or verified.
const maxToken = 16 << 10

// An offer is what a client brings to prove who it is.
type offer struct {
	method tenant.Method
	claim  tenant.Claim
	opened tenant.Proof  // what the session is to be known by
	proof  proof         // nil where the method is password
	secret tenant.Secret // the password
}

// A proof is checked against what was read.
type proof interface {
	// verify says nil and until when the proof holds; the zero time: as long as we like.
	verify(id *tenant.Identity, now time.Time) (until time.Time, r *refusal)
}

// readOffer tells the methods apart. With a refusal the offer holds what is known anyhow,
// so that the tenant's admins can be told.
func readOffer(r *request) (offer, *refusal) {
	info, opts := &r.NATS.Client, &r.NATS.Connect
	// An MQTT password also stands in auth_token, and a leaf node would bring a whole account.
	if info.Kind != kindClient || info.Type != typeNATS && info.Type != typeWebSocket {
		return offer{}, refuseClient
	}
	if len(opts.Token) > maxToken {
		return offer{method: tenant.MethodToken}, refuseTokenSize
	}
	token, rooms, wrongRooms := splitToken(opts.Token)
	creds, hasCreds := readCreds(opts.JWT, info.Tags)
	o, wrong := chooseMethod(r, token, creds, hasCreds)
	if wrong == nil {
		wrong = wrongRooms
	}
	o.claim.Rooms = rooms
	return o, wrong
}

// chooseMethod takes the one method that is offered. To prefer one of several would make a
// client that was given the wrong one work by chance. The nkey of the client's own credentials
// is no second method: nats.js sends it beside them. Nor is a certificate one, which many
// clients present to whoever asks: it counts where nothing else is offered.
func chooseMethod(r *request, token tenant.Secret, creds *credsProof, hasCreds bool) (offer, *refusal) {
	opts := &r.NATS.Connect
	hasPassword := opts.User != "" || opts.Password != ""
	hasNKey := opts.NKey != "" && (!hasCreds || opts.NKey != creds.nkey)
	n := 0
	for _, has := range []bool{token != "", hasPassword, hasCreds, hasNKey} {
		if has {
			n++
		}
	}
	switch chain := r.NATS.TLS.chain(); {
	case n == 0 && len(chain) > 0:
		return readCertificate(chain)
	case n == 0:
		return offer{}, refuseNothing
	case n > 1:
		return offer{}, refuseAmbiguous
	case hasNKey:
		return readNKey(opts, r.NATS.Client.Nonce)
	case hasCreds:
		return creds.offer()
	case hasPassword:
		return readPassword(opts)
	}
	return readToken(token)
}
