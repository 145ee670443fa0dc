package authcallout

import "parley/tenant"

// A refusal is why a client is not let in: a fixed code, and for the tenant's admins a sentence
// with the remedy. Neither ever holds anything that the client sent. The client learns nothing of it.
type refusal struct{ code, reason string }

// Refusals of what the client offers, before anybody looks who it is.
var (
	refuseClient      = &refusal{"client_type", "only NATS clients over TCP and WebSocket are let in; leaf nodes and MQTT are not"}
	refuseNothing     = &refusal{"no_credentials", "the client offered nothing; give it a token, a user and password, an nkey, a .creds file or a client certificate"}
	refuseAmbiguous   = &refusal{"method_ambiguous", "the client offered more than one of token, password, nkey and .creds file; leave one"}
	refuseRooms       = &refusal{"rooms_invalid", "what follows the token must be ;rooms= and ids of rooms with commas between; mend the client"}
	refuseManyRooms   = &refusal{"rooms_too_many", "a connection lists at most 50 rooms; name fewer behind ;rooms="}
	refuseUserForm    = &refusal{"user_malformed", "the user name must be <tenant>/<user>"}
	refuseTokenSize   = &refusal{"token_too_large", "the token field is longer than 16 KiB; put less into the token"}
	refuseTokenForm   = &refusal{"token_malformed", "the token is no JSON Web Token in compact form with unambiguous JSON; see how it is made"}
	refuseTokenHeader = &refusal{"token_header", "the token's header must be JSON of alg, kid and typ alone; leave out crit, jku, jwk, x5u and the like"}
	refuseTokenAlg    = &refusal{"token_algorithm", "the token's alg must be the one of its key: EdDSA, ES256 or RS256, and of Parley's own EdDSA; sign it so"}
	refuseTokenKid    = &refusal{"token_kid", "the token's kid must be the id of one of the tenant's keys"}
	refuseTokenAud    = &refusal{"token_audience", "the token's aud must be parley:<tenant>, and that alone"}
	refuseTokenSub    = &refusal{"token_subject", "the token's sub must be the id of a user"}
	refuseTokenAzp    = &refusal{"token_audience", "the ID token was made for another client than its aud (azp); have one made for the client of the key"}
	refuseTokenIssuer = &refusal{"token_issuer", "no tenant has a key of kind oidc for the token's iss and aud; add one"}
	refuseUserClaim   = &refusal{"token_user_claim", "the token lacks the claim that the key's user_claim names, or it can name nobody; choose another"}
	refuseEmail       = &refusal{"token_email_unverified", "the provider does not say email_verified of the token's mail address; have it verified, or choose another user_claim"}
	refuseTokenTimes  = &refusal{"token_times", "the token needs iat and exp, and may have nbf, in whole seconds since 1970"}
	refuseTokenLife   = &refusal{"token_life", "the token's exp must be 1 second to 24 hours after its iat; issue a shorter one"}
	refuseNKeyForm    = &refusal{"nkey_malformed", "the nkey must be a public user nkey, as U followed by 55 characters"}
	refuseCredsForm   = &refusal{"creds_malformed", "the credentials name no tenant and user; have new ones issued"}
	refuseCertForm    = &refusal{"cert_malformed", "the client presents certificates that can't be read, or more than 6"}
)

// Refusals of who the client says it is.
var (
	refuseTenant         = &refusal{"tenant_unknown", "no such tenant; correct the tenant's id"}
	refuseSuspended      = &refusal{"tenant_suspended", "the tenant is suspended; ask the operator"}
	refuseUser           = &refusal{"user_unknown", "the tenant has no such user; make the user first"}
	refuseUserDeleted    = &refusal{"user_deleted", "the user was deleted; make the user again to let it in"}
	refuseUsersLimit     = &refusal{"users_limit", "the tenant has as many users as its limit allows; delete some or ask the operator for more"}
	refuseRevoked        = &refusal{"user_revoked", "the user is revoked; restore the user to let it in"}
	refuseCreds          = &refusal{"creds_unknown", "the credentials belong to no user that exists; have new ones issued"}
	refuseCredsGone      = &refusal{"creds_revoked", "the credentials are revoked; have new ones issued"}
	refuseCredsOther     = &refusal{"creds_mismatch", "the credentials name another user than our records; have new ones issued"}
	refuseNKey           = &refusal{"nkey_unknown", "the nkey is registered for no user; set it as the user's nkey"}
	refuseNKeySig        = &refusal{"nkey_signature", "the server's nonce is not signed with the nkey's seed; give the client the seed of the registered nkey"}
	refuseCA             = &refusal{"cert_ca_unknown", "no tenant has the CA of the client certificate; add it as a key of kind tls-ca"}
	refuseCAGone         = &refusal{"cert_ca_removed", "the CA of the client certificate was removed; have one of another CA issued"}
	refuseCertOld        = &refusal{"cert_expired", "the client certificate, or its CA's, is out of date; have a new one issued"}
	refuseCertUse        = &refusal{"cert_usage", "the client certificate is not for client authentication; have one issued with that extended key usage"}
	refuseCertChain      = &refusal{"cert_chain", "the client certificate is not signed by the tenant's CA; present one that is, with the CAs between"}
	refuseCrowd          = &refusal{"connections_per_user", "the user has as many connections open as the tenant's limit connections_per_user allows; close one, or raise the limit"}
	refuseTokenKey       = &refusal{"token_key_unknown", "the tenant has no key of the token's kid; have a new token issued"}
	refuseTokenSig       = &refusal{"token_signature", "the token's signature is wrong; sign it with the key that its kid names"}
	refuseTokenKeyGone   = &refusal{"token_key_removed", "the key that signed the token was removed; sign with one that the tenant has"}
	refuseTokenBeforeKey = &refusal{"token_before_key", "the token was issued before its key was added; have a new one issued"}
	refuseTokenEarly     = &refusal{"token_not_yet_valid", "the token's nbf or iat is to come; set the issuer's clock right"}
	refuseTokenGone      = &refusal{"token_revoked", "this token was revoked; have a new one issued"}
	refuseTokenOld       = &refusal{"token_expired", "the token has expired; have a new one issued"}
	refuseTokenBefore    = &refusal{"token_outdated", "the token was issued before the user was made; have a new one issued"}
	refusePassword       = &refusal{"password_wrong", "the password is wrong; try another or set a new one"}
	refuseNoPassword     = &refusal{"password_unset", "the user has no password; set one, or use another method"}
	refuseThrottled      = &refusal{"throttled", "too many wrong passwords for this user or from this address; wait a minute"}
)

// Refusals that are our own fault.
var (
	refuseBusy        = &refusal{"busy", "too many passwords are being checked at once; try again"}
	refuseKeysBusy    = &refusal{"busy", "too many connections wait for the keys of one URL; try again"}
	refuseNewcomers   = &refusal{"busy", "too many new users come at once; try again"}
	refuseUnavailable = &refusal{"unavailable", "the database did not answer; try again"}
	refuseInternal    = &refusal{"internal", "an internal error; the server's log tells more"}
)

// standing looks at what was read, in the order in which an admin would: nil if nothing is
// against the user but that the proof is still to be checked.
func standing(id *tenant.Identity) *refusal {
	switch {
	case id.Status == tenant.Suspended:
		return refuseSuspended
	case id.Status != tenant.Active:
		return refuseTenant
	case id.User.ID == "" || id.User.Status == tenant.UserDeleted:
		return refuseUser
	case id.User.Status != tenant.UserActive:
		return refuseRevoked
	case id.TokenRevoked:
		return refuseTokenGone
	}
	return nil
}
