package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"parley/accounts"
	"parley/accounts/keyring"
	"parley/internal/embedpg"
	"parley/migrations"
	"parley/tenant"
)

// maxConns bounds the connections to Postgres: a few queries at once use all the cores there are.
const maxConns = 32

// startDatabase opens the database, the private one or another, and brings it to this binary's schema.
func (a *app) startDatabase(ctx context.Context) error {
	url := a.DatabaseURL
	if url == "" {
		pg, err := embedpg.Start(ctx, embedpg.Config{Dir: a.dir.file("postgres"), Logger: a.Logger})
		if err != nil {
			return err
		}
		a.onStop("postgres", pg.Stop)
		url = pg.URL()
	}
	conf, err := pgxpool.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("--database-url: %w", err)
	}
	conf.MaxConns = maxConns
	conf.ConnConfig.ConnectTimeout = 2 * time.Second
	if a.pool, err = pgxpool.NewWithConfig(ctx, conf); err != nil {
		return fmt.Errorf("--database-url: %w", err)
	}
	a.onStop("database connections", func(context.Context) error {
		a.pool.Close()
		return nil
	})
	if err := a.pool.Ping(ctx); err != nil {
		return fmt.Errorf("--database-url: the server does not answer: %w", err)
	}
	return migrations.Up(ctx, a.pool)
}

// openKeys opens the keyring and, at the first start, makes the operator and its accounts.
func (a *app) openKeys(ctx context.Context) error {
	sealed, err := accounts.SealedKeysExist(ctx, a.pool)
	if err != nil {
		return err
	}
	file := a.MasterKeyFile
	if file == "" {
		file = a.dir.file("master.key")
	}
	a.keys, err = keyring.Open(keyring.Config{Key: tenant.Secret(os.Getenv(keyring.EnvMasterKey)), File: file, Sealed: sealed})
	if err != nil {
		return err
	}
	a.system, err = accounts.EnsureSystem(ctx, accounts.SystemConfig{Pool: a.pool, Keys: a.keys, Log: a.Logger})
	return err
}
