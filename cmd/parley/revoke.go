package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

type revokeCmd struct {
	userArg
	Reason  string `help:"Why; the user is told." xor:"what"`
	NKey    string `name:"nkey" help:"Only the credential of this nkey (parley creds --list)." placeholder:"U…" xor:"what"`
	TokenID string `help:"Only the token of this jti." placeholder:"JTI" xor:"what"`
}

type revokeAnswer struct {
	Disconnected int     `json:"disconnected"`
	TookMS       float64 `json:"took_ms"`
}

func (c *revokeCmd) Run(ctx context.Context, std streams) error {
	a, err := c.open(std)
	if err != nil {
		return err
	}
	what, undo := c.User, fmt.Sprintf(" Undo: parley user restore %s %s", c.Tenant, c.User)
	where, body := c.path("revoke"), any(map[string]string{"reason": c.Reason})
	switch {
	case c.NKey != "":
		what, undo, where, body = c.NKey+" of "+c.User, "", c.path("creds", c.NKey, "revoke"), nil
	case c.TokenID != "":
		what, undo, where, body = "token "+c.TokenID+" of "+c.User, "", c.path("tokens", c.TokenID, "revoke"), nil
	}
	var r revokeAnswer
	if err := a.call(ctx, http.MethodPost, where, body, &r); err != nil {
		return err
	}
	return a.show(r, func(w io.Writer) {
		fmt.Fprintf(w, "Revoked %s: %d connections closed in %.1f ms.%s\n", what, r.Disconnected, r.TookMS, undo)
	})
}
