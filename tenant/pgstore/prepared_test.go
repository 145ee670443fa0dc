package pgstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"parley/internal/pgtest"
)

var sqlStart = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s`)

// statements finds every string constant of the package's source that is SQL, and fails on
// SQL that is no constant.
func statements(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	names, err := fs.Glob(os.DirFS("."), "*.go")
	must(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		constants := make(map[ast.Node]string)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					constants[v] = n.Names[i].Name
				}
			case *ast.BasicLit:
				sql, err := strconv.Unquote(n.Value)
				if err != nil || n.Kind != token.STRING || !sqlStart.MatchString(sql) {
					return true
				}
				if constants[n] == "" {
					t.Errorf("%s: got SQL outside of a constant: %s", name, sql)
				}
				found[constants[n]] = sql
			}
			return true
		})
	}
	return found
}

func TestEveryStatementFitsTheSchema(t *testing.T) {
	t.Parallel()
	all := statements(t)
	if len(all) < 30 {
		t.Fatalf("got %d statements in the source, want at least 30", len(all))
	}
	conn, err := pgtest.NewPool(t).Acquire(within(t))
	must(t, err)
	defer conn.Release()
	for name, sql := range all {
		if _, err := conn.Conn().Prepare(within(t), name, sql); err != nil {
			t.Errorf("prepare %s: %v", name, err)
		}
	}
}
