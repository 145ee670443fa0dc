package app

import (
	"context"

	"parley/accounts"
	"parley/internal/embednats"
)

// startNATS signs the accounts as Postgres knows them, and starts the embedded server with them. The servers of a
// cluster are brought in line by the reconciler.
func (a *app) startNATS(ctx context.Context) error {
	jwts, err := a.system.Materialize(ctx)
	if err != nil {
		return err
	}
	if a.clustered() {
		return nil
	}
	sentinel, err := a.system.Sentinel()
	if err != nil {
		return err
	}
	a.server, err = embednats.Start(embednats.Config{
		Dir: a.dir.file("nats"), Operator: a.system.Operator(), Sentinel: sentinel, Accounts: jwts,
		NATS: a.NATS, WS: a.WS, TLS: a.ports.nats, WebsocketTLS: a.ports.ws, Log: a.Logger,
	})
	if err != nil {
		return err
	}
	a.onStop("nats", func(ctx context.Context) error {
		a.server.Stop(ctx) // tells the clients to go, and drains them
		return nil
	})
	return nil
}

// startAccounts starts the control role.
func (a *app) startAccounts(ctx context.Context) error {
	sys, err := a.connect(accounts.RoleControl)
	if err != nil {
		return err
	}
	if a.notices, err = a.connect(accounts.RoleNotices); err != nil {
		return err
	}
	if a.accounts, err = accounts.New(ctx, accounts.Config{
		System: a.system, SYS: sys, PARLEY: a.notices, Refusals: a.store, Aside: !a.plays(roleControl),
	}); err != nil {
		return err
	}
	a.onStop("accounts", func(context.Context) error {
		a.accounts.Close()
		return nil
	})
	if !a.plays(roleControl) {
		return nil
	}
	a.background("account reconciler", func(ctx context.Context) error {
		a.accounts.Run(ctx)
		return nil
	})
	return nil
}
