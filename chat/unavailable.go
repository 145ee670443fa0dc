package chat

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"parley/tenant"
)

// fromDB turns an error of Postgres into what callers may see: unavailable where the
// database is away, slow or in recovery, itself where it refused a statement.
func fromDB(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := tenant.AsError(err); ok {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return tenant.ErrNotFound
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && !transient(pg.Code) {
		return err
	}
	return fmt.Errorf("%w (%w)", unavailable("the database"), err)
}

// transient reports whether a statement that failed with a SQLSTATE may succeed later: connection,
// rollback, resource, lock and operator classes (PostgreSQL manual, appendix A).
func transient(code string) bool {
	switch code[:2] {
	case "08", "40", "53", "55", "57", "58":
		return true
	}
	return false
}

// poison reports whether Postgres refused what was in the statement, so that it will refuse
// it for ever: data, integrity and program-limit classes.
func poison(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code[:2] {
	case "22", "23", "54":
		return true
	}
	return false
}

// doubled reports whether a message was there already (unique_violation of its index).
func doubled(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.ConstraintName == "messages_once"
}

func unavailable(what string) error {
	return tenant.Errorf(tenant.CodeUnavailable, "%s does not answer at the moment; try again", what)
}
