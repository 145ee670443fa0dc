// Package migrations holds the database's schema as numbered SQL. Old code must run on the next schema.
package migrations

import "embed"

// FS holds the migrations, in goose's form.
//
//go:embed *.sql
var FS embed.FS
