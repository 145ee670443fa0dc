package tenant

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// recoveryCodes is how many a person gets at once.
const recoveryCodes = 10

// A recovery code has 80 random bits, in four groups that people can read out.
func newRecoveryCode() Secret {
	s := rand.Text()[:16]
	return Secret(s[:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:])
}

// hashCode is the hash of a code, however it was typed.
func hashCode(code Secret) []byte {
	typed := strings.ToUpper(code.Reveal())
	return hashSecret(Secret(strings.NewReplacer("-", "", " ", "").Replace(typed)))
}

// RecoveryCodes counts the codes that the person has left.
func (p *People) RecoveryCodes(ctx context.Context, s Principal) (int, error) {
	return p.store.RecoveryCodes(ctx, s.Profile.ID)
}

// NewRecoveryCodes makes codes for the person, of whom those from before end. The password is looked at
// where their login is not fresh.
func (p *People) NewRecoveryCodes(ctx context.Context, s Principal, password Secret) ([]Secret, error) {
	if err := p.confirm(ctx, s, password); err != nil {
		return nil, err
	}
	codes, hashes := make([]Secret, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		codes[i] = newRecoveryCode()
		hashes[i] = hashCode(codes[i])
	}
	return codes, p.own(ctx, s, func(tx Tx, who Profile, now time.Time) error {
		if err := tx.PutRecoveryCodes(ctx, who.ID, hashes, now); err != nil {
			return err
		}
		return audit(ctx, tx, actorOf(who), now, "", "recovery.codes", "person:"+who.Email, nil, map[string]int{"codes": recoveryCodes})
	})
}

func errCode() error {
	return Errorf(CodeUnauthorized, "the e-mail address or the code is wrong, or the code was used; log in as always, or ask an operator for a link")
}

// RecoverByCode sets a new password by a recovery code, ends all sessions and starts one. An address that nobody
// has is told the same as a wrong code.
func (p *People) RecoverByCode(ctx context.Context, email string, code, password Secret, from Browser) (Secret, error) {
	f := faults{}
	checkPassword(f, password)
	if err := f.err(); err != nil {
		return "", err
	}
	hash := hashCode(code)
	who, err := p.store.ProfileByCode(ctx, NormalEmail(email), hash)
	if errors.Is(err, ErrNotFound) {
		return "", errCode()
	}
	if err != nil {
		return "", err
	}
	hashed, err := p.passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	return p.setPassword(ctx, who.ID, hashed, from, "recovery code", func(tx Tx, _ Profile, _ time.Time) error {
		err := tx.UseRecoveryCode(ctx, who.ID, hash)
		if errors.Is(err, ErrNotFound) {
			return errCode()
		}
		return err
	})
}
