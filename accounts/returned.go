package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
)

// A node that was cut off for so long that it counted as gone has missed what happened meanwhile: sweeps
// were complete without it, and it kept whom it had. When it is heard of again, its clients are closed
// once, and come back under what the rows say now.

// reconsider closes the clients of nodes that were cut off, until ctx ends.
func (a *Accounts) reconsider(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-a.nodes.back:
			closed, err := a.closeOn(ctx, id)
			log := a.log.With(slog.String("server", id), slog.Int("closed", closed))
			if err != nil {
				a.nodes.lose(id) // it is away again, and will be back again
				log.Warn("clients of a server that was cut off not closed", "error", err)
				continue
			}
			log.Warn("a server was cut off, and its clients come back anew")
		}
	}
}

// closeOn closes the tenants' connections on a server that began before now.
func (a *Accounts) closeOn(ctx context.Context, server string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	before := a.now()
	request := connzRequest{Auth: true, Limit: connzPage}
	body, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	answer, err := a.askOne(ctx, fmt.Sprintf(serverConnz, server), body)
	if err != nil {
		return 0, fmt.Errorf("list connections of %s: %w", server, err)
	}
	all, err := decodeConnz(server, answer)
	if err == nil && len(all) == connzPage {
		var more []conn
		more, err = a.findMore(ctx, server, request)
		all = append(all, more...)
	}
	platform := []string{a.facts.sys.id, a.facts.auth.id, a.facts.parley.id}
	all = slices.DeleteFunc(all, func(c conn) bool { return slices.Contains(platform, c.Account) || !begunBefore(c.Start, before) })
	closed, errClose := a.closeAll(ctx, all)
	if err == nil {
		err = errClose
	}
	return closed, err
}
