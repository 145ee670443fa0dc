package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxTokenID is the length of the longest jti of a token in bytes.
const MaxTokenID = 128

// tokenLeeway is more than the clock of whoever issues tokens may go before ours.
const tokenLeeway = time.Minute

// SweepToken is the job that closes what was opened with a token that is revoked.
type SweepToken struct {
	Tenant TenantID `json:"tenant"`
	Token  string   `json:"token"`
}

// Kind names the job in the queue.
func (SweepToken) Kind() string { return "sweep_token" }

// ParseTokenID parses a jti: printable ASCII without spaces.
func ParseTokenID(field, s string) (string, error) {
	ok := s != "" && len(s) <= MaxTokenID
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] < 0x7f
	}
	if !ok {
		return "", Invalid(field, fmt.Sprintf("must be the token's jti, 1 to %d printable characters without spaces", MaxTokenID))
	}
	return s, nil
}

// RevokeToken ends one token of a user by its jti, and closes what was opened with it. The
// token need not have been used, nor be of Parley's making: it is refused for as long as it could live.
func (s *Service) RevokeToken(ctx context.Context, a Actor, t TenantID, u UserID, token string) (Revocation, error) {
	begun, now := s.now(), s.clock()
	var account string
	err := s.writeWith(ctx, a, ScopeModerate, t, func(tx Tx, row Tenant) error {
		account = row.Account
		if _, err := activeUser(ctx, tx, t, u); err != nil {
			return err
		}
		if err := tx.RevokeToken(ctx, t, u, token, now, now.Add(MaxTokenLife+tokenLeeway)); err != nil {
			return err
		}
		if err := s.sweepLater(ctx, tx, SweepToken{t, token}, now); err != nil {
			return err
		}
		return audit(ctx, tx, a, now, t, "token.revoke", "user:"+string(u), nil, map[string]string{"token_id": token})
	})
	if err != nil {
		return Revocation{}, err
	}
	closed, err := s.accounts.KickProof(ctx, account, Proof{Token: token})
	if err != nil {
		return Revocation{}, later("the token is revoked", err)
	}
	return Revocation{Disconnected: closed, Took: s.now().Sub(begun)}, nil
}

// SweepToken closes what is still open of a revoked token. Tokens never come back, so there is no row to read.
func (s *Service) SweepToken(ctx context.Context, j SweepToken) error {
	t, err := s.store.Tenant(ctx, j.Tenant)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.accounts.KickProof(ctx, t.Account, Proof{Token: j.Token})
	return err
}
