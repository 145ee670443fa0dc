package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// inviteOperator prints the link by which the first operator signs up, and keeps it in a file that
// only the server's user reads. It works once and for a day; a start without an operator makes another.
func (a *app) inviteOperator(ctx context.Context, public string) error {
	secret, expires, err := a.people.FirstOperator(ctx)
	if err != nil {
		return err
	}
	if secret == "" {
		err := os.Remove(a.dir.file(OperatorLinkFile))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return err
	}
	// Behind the #, the secret is in no server's log and no Referer.
	link := public + "/join?link#" + secret.Reveal()
	if err := a.dir.write(OperatorLinkFile, []byte(link+"\n")); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "first operator: open %s (works once, until %s)\n", link, expires.Format(time.RFC3339))
	return err
}
