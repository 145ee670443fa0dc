package accounts

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// maxAhead is how many seconds the last iat may be ahead of the clock before it is a fault of
// the clock, not many updates in a row.
const maxAhead = 10

const updateRow = `UPDATE accounts SET jwt = $2, content = $3, iat = $4 WHERE account = $1`

// signSystem brings the JWTs of the operator and its accounts in line with the code and keys.
func (s *System) signSystem(ctx context.Context, tx pgx.Tx) error {
	r, err := oneRow(ctx, tx, lockRow, s.facts.operator.id)
	if err != nil {
		return err
	}
	// The operator vouches for itself: its identity key signs here and nowhere else.
	if s.operator, err = s.sign(ctx, tx, r, operatorClaims(s.facts), s.operatorIdentity, 0); err != nil {
		return err
	}
	for _, a := range []account{s.facts.sys, s.facts.auth, s.facts.parley} {
		if err := s.signRow(ctx, tx, a.id, 0); err != nil {
			return err
		}
	}
	return nil
}

// signRow locks an account's row and signs what the database asks for, if that differs from
// what was signed last, or if the last iat is not beyond floor.
func (s *System) signRow(ctx context.Context, tx pgx.Tx, account string, floor int64) error {
	r, err := oneRow(ctx, tx, lockRow, account)
	if err != nil {
		return err
	}
	claims, err := s.wanted(ctx, tx, r) // after the lock: it sees what the last signer did not
	if err != nil {
		return err
	}
	_, err = s.sign(ctx, tx, r, claims, s.operatorSigner, floor)
	return err
}

// sign signs claims where they are new, with an iat beyond all that were signed before: the
// nodes keep the JWT with the greatest, so that a lesser one would undo a revocation.
func (s *System) sign(ctx context.Context, tx pgx.Tx, r row, claims jwt.Claims, by nkeys.KeyPair, floor int64) (string, error) {
	issuer, err := by.PublicKey()
	if err != nil {
		return "", err
	}
	content, err := contentOf(claims, issuer)
	if err != nil {
		return "", err
	}
	if bytes.Equal(content, r.Content) && r.IAT > floor {
		return r.JWT, nil
	}
	now := s.now().Unix()
	if now < r.IAT-maxAhead {
		s.log.Warn("the clock is behind the last signature", slog.String("account", r.Account), slog.Int64("seconds", r.IAT-now))
	}
	iat := max(now, r.IAT+1, floor+1)
	text, err := encode(claims, by, iat)
	if err != nil {
		return "", err
	}
	if _, err := tx.Exec(ctx, updateRow, r.Account, text, content, iat); err != nil {
		return "", fmt.Errorf("keep claims of %s: %w", r.Account, err)
	}
	return text, nil
}
