// Package accounts keeps the NATS accounts in line with the database: their keys and
// claims, the pushing of claims to the servers, the closing and counting of connections,
// and what is issued under an account's keys. Of the tenants' records it only reads; it
// decides nothing about who may do what.
package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nkeys"

	"parley/accounts/keyring"
	"parley/tenant"
)

// The names of the operator and of the platform's own accounts in the database.
const (
	nameOperator = "OPERATOR"
	nameSYS      = "SYS"
	nameAUTH     = "AUTH"
	namePARLEY   = "PARLEY"
)

// setUpLock keeps starters from making the accounts twice. It is "parley" and a number.
const setUpLock = 0x7061726c65790001

// A System is the operator and its own accounts, with their keys opened. It needs no
// server: what a server is started with comes from here.
type System struct {
	pool *pgxpool.Pool
	keys *keyring.Keyring
	log  *slog.Logger
	now  func() time.Time

	facts    systemFacts
	operator string // JWT

	operatorIdentity, operatorSigner nkeys.KeyPair
	sysSigner, authSigner            nkeys.KeyPair
	parleySigner, authXKey           nkeys.KeyPair
	callout, sentinel                nkeys.KeyPair
}

// SystemConfig of EnsureSystem. Pool, Keys and Log are required.
type SystemConfig struct {
	Pool *pgxpool.Pool
	Keys *keyring.Keyring
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

const sealedExist = `SELECT EXISTS (SELECT FROM account_keys)`

// SealedKeysExist tells whether a master key was in use before, so that a new one would be of no use.
func SealedKeysExist(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	var yes bool
	if err := pool.QueryRow(ctx, sealedExist).Scan(&yes); err != nil {
		return false, fmt.Errorf("look for sealed keys: %w", err)
	}
	return yes, nil
}

// EnsureSystem makes the operator and its accounts at the first start, in one transaction,
// and opens their keys. Of several starters one makes them and the others wait.
func EnsureSystem(ctx context.Context, c SystemConfig) (*System, error) {
	if c.Pool == nil || c.Keys == nil || c.Log == nil {
		return nil, errors.New("accounts: SystemConfig needs Pool, Keys and Log")
	}
	s := &System{pool: c.Pool, keys: c.Keys, log: c.Log, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(setUpLock)); err != nil {
			return err
		}
		keys, err := loadSystem(ctx, tx)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			if keys, err = s.makeSystem(ctx, tx); err != nil {
				return err
			}
		}
		if err := s.openKeys(keys); err != nil {
			return err
		}
		return s.signSystem(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("set up operator and accounts: %w", err)
	}
	return s, nil
}

// systemKey is a sealed key and the name of whose it is.
type systemKey struct {
	Name string
	Key  tenant.SealedKey
}

const selectSystemKeys = `
SELECT a.name, k.account, k.key_id, k.purpose, k.sealed, k.key_version
FROM accounts a JOIN account_keys k USING (account)
WHERE a.name IS NOT NULL ORDER BY k.created_at, k.key_id`

func loadSystem(ctx context.Context, tx pgx.Tx) ([]systemKey, error) {
	rows, err := tx.Query(ctx, selectSystemKeys)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (k systemKey, err error) {
		err = r.Scan(&k.Name, &k.Key.Account, &k.Key.KeyID, &k.Key.Purpose, &k.Key.Sealed, &k.Key.Version)
		return k, err
	})
}

const (
	insertSystemAccount = `INSERT INTO accounts (account, name) VALUES ($1, $2)`
	insertKey           = `
INSERT INTO account_keys (key_id, account, purpose, sealed, key_version) VALUES ($1, $2, $3, $4, $5)`
)

func (s *System) makeSystem(ctx context.Context, tx pgx.Tx) ([]systemKey, error) {
	var made []systemKey
	for _, name := range []string{nameOperator, nameSYS, nameAUTH, namePARLEY} {
		keys, err := s.makeKeys(name)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, insertSystemAccount, keys[0].Account, name); err != nil {
			return nil, err
		}
		for _, k := range keys {
			if _, err := tx.Exec(ctx, insertKey, k.KeyID, k.Account, k.Purpose, k.Sealed, k.Version); err != nil {
				return nil, err
			}
			made = append(made, systemKey{name, k})
		}
	}
	s.log.Info("operator and accounts made")
	return made, nil
}

// makeKeys makes the keys of the operator or an account; the first is the identity.
func (s *System) makeKeys(name string) ([]tenant.SealedKey, error) {
	identity := s.keys.NewAccount
	purposes := []string{keyring.Signing}
	switch name {
	case nameOperator:
		identity = s.keys.NewOperator
	case nameAUTH:
		purposes = append(purposes, keyring.XKey)
	}
	return makeKeys(s.keys, identity, purposes)
}

func makeKeys(ring *keyring.Keyring, identity func() (tenant.SealedKey, error), purposes []string) ([]tenant.SealedKey, error) {
	id, err := identity()
	if err != nil {
		return nil, err
	}
	keys := []tenant.SealedKey{id}
	for _, p := range purposes {
		k, err := ring.NewKey(id.Account, p)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// openKeys opens what the system signs with; a wrong master key shows here.
func (s *System) openKeys(keys []systemKey) error {
	var faults []error
	open := func(dst *nkeys.KeyPair, by func(tenant.SealedKey) (nkeys.KeyPair, error), k tenant.SealedKey) {
		pair, err := by(k)
		if err != nil {
			faults = append(faults, err)
			return
		}
		*dst = pair
	}
	owners := map[string]*account{
		nameOperator: &s.facts.operator, nameSYS: &s.facts.sys, nameAUTH: &s.facts.auth, namePARLEY: &s.facts.parley,
	}
	signers := map[string]*nkeys.KeyPair{
		nameOperator: &s.operatorSigner, nameSYS: &s.sysSigner, nameAUTH: &s.authSigner, namePARLEY: &s.parleySigner,
	}
	for _, k := range keys {
		owner := owners[k.Name]
		owner.id = k.Key.Account
		switch k.Key.Purpose {
		case keyring.Signing:
			owner.signing = append(owner.signing, k.Key.KeyID)
			open(signers[k.Name], s.keys.Signer, k.Key)
			if k.Name == nameAUTH {
				open(&s.callout, s.derive("callout"), k.Key)
				open(&s.sentinel, s.derive("sentinel"), k.Key)
			}
		case keyring.XKey:
			s.facts.xkey = k.Key.KeyID
			open(&s.authXKey, s.keys.XKey, k.Key)
		case keyring.Identity:
			if k.Name == nameOperator {
				open(&s.operatorIdentity, s.keys.Signer, k.Key)
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if s.callout == nil || s.operatorIdentity == nil || s.operatorSigner == nil || s.sysSigner == nil || s.parleySigner == nil || s.authXKey == nil {
		return errors.New("the database lacks keys of the operator or its accounts")
	}
	var err error
	s.facts.callout, err = s.callout.PublicKey()
	return err
}

func (s *System) derive(label string) func(tenant.SealedKey) (nkeys.KeyPair, error) {
	return func(k tenant.SealedKey) (nkeys.KeyPair, error) { return s.keys.DeriveUser(k, label) }
}

// Operator is the operator's JWT, which the servers trust.
func (s *System) Operator() string { return s.operator }

// AuthAccount is the public nkey of the account that the callout serves.
func (s *System) AuthAccount() string { return s.facts.auth.id }

// ParleyAccount is the public nkey of the platform's account.
func (s *System) ParleyAccount() string { return s.facts.parley.id }

// AuthSigner signs the callout's answers.
func (s *System) AuthSigner() nkeys.KeyPair { return s.authSigner }

// AuthXKey decrypts the requests to the callout and encrypts its answers.
func (s *System) AuthXKey() nkeys.KeyPair { return s.authXKey }
