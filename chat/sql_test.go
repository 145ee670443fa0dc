package chat

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strings"
	"testing"

	"parley/internal/pgtest"
)

// sqlFragments are parts of statements, and no statements.
var sqlFragments = map[string]bool{
	"sqlMessageColumns": true, "sqlMessageBounds": true, "sqlSearchMessages": true, "sqlSearchMessagesInRoom": true, "sqlSearchMayRead": true, "sqlSearchOrder": true, "sqlRoomViewColumns": true, "sqlRoomViewJoins": true,
	"sqlNotBlocked": true, "sqlPresenceColumns": true, "sqlPresenceJoins": true,
}

func TestPostgresPreparesEveryStatement(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewPool(t)
	statements := sqlConstants(t)
	if len(statements) < 20 {
		t.Fatalf("found %d statements, want all of the package", len(statements))
	}
	for name, sql := range statements {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Release()
	}
}

// sqlConstants evaluates the package's constants whose names begin with sql.
func sqlConstants(t *testing.T) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// Other packages' types do not matter for constants of strings.
	config := types.Config{Importer: importer.Default(), Error: func(error) {}}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	_, _ = config.Check("chat", fset, files, info)
	all := map[string]string{}
	for id, object := range info.Defs {
		c, ok := object.(*types.Const)
		if ok && strings.HasPrefix(id.Name, "sql") && !sqlFragments[id.Name] && c.Val().Kind() == constant.String {
			all[id.Name] = constant.StringVal(c.Val())
		}
	}
	return all
}
