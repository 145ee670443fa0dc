package arch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "parley/"

// layers says for each package which others of the module it may import. Tests are free: theirs
// is to put things together. Siblings (authcallout, accounts, chat, console, tenant/pgstore) never
// import each other: each declares the interfaces that it needs, and internal/app joins them.
var layers = map[string][]string{
	// The domain, and what is computed from it alone.
	"tenant":         {},
	"tenant/subject": {"tenant"},
	"tenant/grant":   {"tenant", "tenant/subject"}, // a grant is a list of subjects, and only subject makes them

	// The siblings.
	"tenant/pgstore":   {"tenant", "internal/obs"},
	"accounts":         {"accounts/keyring", "tenant", "tenant/grant", "tenant/subject", "internal/obs", "internal/run"},
	"accounts/keyring": {"tenant"},
	"authcallout":      {"tenant", "tenant/grant", "tenant/subject", "internal/obs", "internal/outbound", "internal/run"},
	"chat":             {"tenant", "tenant/subject", "internal/obs", "internal/run"},
	"console":          {"console/passkey", "console/sso", "console/ui", "tenant", "internal/obs", "internal/run"},
	"console/passkey":  {"tenant"},
	"console/sso":      {"tenant"},
	"console/ui":       {"tenant"},

	// What users of Parley import.
	"client": {"tenant", "tenant/subject"},

	// Ground: knows nothing above it.
	"migrations":         {},
	"internal/run":       {},
	"internal/obs":       {},
	"internal/outbound":  {"tenant"}, // what a public address is, the domain says too
	"internal/embedpg":   {},
	"internal/embednats": {},
	"internal/arch":      {},

	// For tests only: nothing that ships may import these.
	"internal/pgtest":   {"internal/embedpg", "migrations"},
	"internal/natstest": {"accounts", "accounts/keyring", "internal/embednats", "tenant", "tenant/subject"},
	"internal/certtest": {},
	"internal/chattest": {"internal/embednats", "internal/natstest", "tenant", "tenant/subject"},

	// What joins them.
	"internal/app": {
		"accounts", "accounts/keyring", "authcallout", "chat", "console", "console/ui", "migrations",
		"tenant", "tenant/grant", "tenant/pgstore", "tenant/subject",
		"internal/embednats", "internal/embedpg", "internal/obs", "internal/outbound", "internal/run",
	},
	"cmd/parley": {"client", "internal/app", "internal/loadtest", "internal/run", "internal/termchat", "tenant"},

	// The chat in a terminal, what loads a running server, and what measures the whole beside a bare NATS server.
	"internal/termchat": {"client", "tenant"},
	"internal/loadtest": {"client"},
	"internal/bench":    {"client", "internal/app", "internal/cluster", "internal/embedpg", "migrations", "tenant", "tenant/grant", "tenant/subject"},

	// A NATS cluster in one process, for tests and benchmarks alone.
	"internal/cluster": {"accounts", "accounts/keyring", "authcallout", "chat", "tenant", "tenant/pgstore"},
}

// examples are programs of their own that show the client, or how to do without it.
const examples = "client/examples/"

func allowed(pkg string) ([]string, bool) {
	if strings.HasPrefix(pkg, examples) {
		return []string{"client"}, true
	}
	edges, ok := layers[pkg]
	return edges, ok
}

// forbidden are imports that would break what a package promises.
var forbidden = []struct {
	pkg     string
	direct  []string // in its own imports
	through []string // also in what it imports
	why     string
}{
	{
		pkg: "tenant", through: []string{"net/http", "database/sql"},
		why: "the domain knows no transport and no storage",
	},
	{
		pkg: "tenant/subject", direct: []string{"context", "log", "log/slog", "time"},
		why: "subjects are text made of text",
	},
	{
		pkg: "tenant/grant", direct: []string{"context", "log", "log/slog", "time"},
		why: "a grant is a pure function of what it is given",
	},
	{
		pkg: "console", through: []string{"github.com/nats-io/nkeys", "github.com/nats-io/jwt/v2"},
		why: "the console is what the web reaches: it never sees a seed and never signs",
	},
	{
		pkg: "console/ui", through: []string{"github.com/nats-io/nkeys", "github.com/nats-io/jwt/v2", "net/http"},
		why: "pages are made of views and nothing else",
	},
}

// standardOnly import nothing but the standard library and, of the module, what layers allows.
var standardOnly = []string{"tenant", "tenant/grant", "tenant/subject"}

// nkeysUsers may import nkeys in what ships; seedOpeners may turn a seed into a private key.
var (
	nkeysUsers  = []string{"accounts", "accounts/keyring", "authcallout", "client", "internal/bench", "internal/cluster", "internal/natstest"}
	seedOpeners = []string{"accounts/keyring", "client", "internal/natstest"}
)

type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func (p listed) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Doc,GoFiles,Imports,Deps", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if len(p.GoFiles) > 0 { // else a folder of tests
			all = append(all, p)
		}
	}
	if len(all) < 5 {
		t.Fatalf("go list: got %d packages, want the module's", len(all))
	}
	return all
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, fault := range layerFaults(p) {
			t.Error(fault)
		}
	}
}

func layerFaults(p listed) (faults []string) {
	edges, known := allowed(p.name())
	if !known {
		return []string{p.name() + " has no place in the layers: give it one in internal/arch"}
	}
	for _, path := range p.Imports {
		name, own := strings.CutPrefix(path, module)
		switch {
		case own && !slices.Contains(edges, name):
			faults = append(faults, fmt.Sprintf("%s imports %s: the layers allow it only %v", p.name(), name, edges))
		case !own && slices.Contains(standardOnly, p.name()) && strings.Contains(path, "."):
			faults = append(faults, fmt.Sprintf("%s imports %s: it may import the standard library only", p.name(), path))
		}
	}
	return faults
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, fault := range importFaults(p) {
			t.Error(fault)
		}
	}
}

func importFaults(p listed) (faults []string) {
	for _, f := range forbidden {
		if f.pkg != p.name() {
			continue
		}
		for _, path := range f.direct {
			if slices.Contains(p.Imports, path) {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.name(), path, f.why))
			}
		}
		for _, path := range f.through {
			if slices.Contains(p.Deps, path) {
				faults = append(faults, fmt.Sprintf("%s depends on %s: %s", p.name(), path, f.why))
			}
		}
	}
	if slices.Contains(p.Imports, "github.com/nats-io/nkeys") && !slices.Contains(nkeysUsers, p.name()) {
		faults = append(faults, p.name()+" imports nkeys: only "+strings.Join(nkeysUsers, ", ")+" may hold keys")
	}
	return faults
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if fault := commentFault(p); fault != "" {
			t.Error(fault)
		}
	}
}

// commentFault is about the first sentence, which go list gives.
func commentFault(p listed) string {
	if p.Doc == "" {
		return p.name() + " has no package comment: say its job and what it must not do"
	}
	return ""
}

func TestSeedsAreOpenedInOnePlace(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if slices.Contains(seedOpeners, p.name()) {
			continue
		}
		for _, file := range p.GoFiles {
			path := filepath.Join(p.Dir, file)
			parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			for _, call := range seedCalls(parsed) {
				t.Errorf("%s uses %s: only %v may open a seed", path, call, seedOpeners)
			}
		}
	}
}

// seedFunctions turn a seed into a private key.
var seedFunctions = map[string][]string{
	"github.com/nats-io/nkeys": {"FromSeed", "FromRawSeed", "FromCurveSeed", "ParseDecoratedNKey", "ParseDecoratedUserNKey"},
	"crypto/ed25519":           {"NewKeyFromSeed"},
}

func seedCalls(file *ast.File) (calls []string) {
	byName := map[string][]string{} // the functions, by the name that the file gives their package
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if functions, ok := seedFunctions[path]; ok {
			byName[name] = functions
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := selector.X.(*ast.Ident); ok && slices.Contains(byName[pkg.Name], selector.Sel.Name) {
				calls = append(calls, pkg.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return calls
}

// TestRulesBite shows each rule a package that breaks it beside one that keeps it.
func TestRulesBite(t *testing.T) {
	t.Parallel()
	const nkeys, jwt = "github.com/nats-io/nkeys", "github.com/nats-io/jwt/v2"
	for _, c := range []struct {
		name        string
		check       func(listed) []string
		bad, allows listed
	}{
		{"siblings", layerFaults, imports("chat", "parley/accounts"), imports("chat", "parley/tenant", nkeys)},
		{"unknown", layerFaults, imports("util"), imports("internal/run")},
		{"test support", layerFaults, imports("internal/app", "parley/internal/pgtest"), imports("internal/app", "parley/chat")},
		{"example", layerFaults, imports("client/examples/a", "parley/tenant"), imports("client/examples/a", "parley/client")},
		{"standard library", layerFaults, imports("tenant", "github.com/jackc/pgx/v5"), imports("tenant", "net/netip")},
		{"transport", importFaults, depends("tenant", "net/http"), depends("tenant", "net/netip")},
		{"storage", importFaults, depends("tenant", "database/sql"), depends("tenant/pgstore", "database/sql")},
		{"clock", importFaults, imports("tenant/grant", "time"), imports("tenant", "time")},
		{"keys in the console", importFaults, depends("console", jwt), depends("authcallout", jwt)},
		{"keys elsewhere", importFaults, imports("chat", nkeys), imports("accounts/keyring", nkeys)},
	} {
		if got := c.check(c.bad); len(got) == 0 {
			t.Errorf("%s: got no fault for %v, want one", c.name, c.bad)
		}
		if got := c.check(c.allows); len(got) != 0 {
			t.Errorf("%s: got %v for %v, want none", c.name, got, c.allows)
		}
	}
	if commentFault(listed{ImportPath: "parley/chat"}) == "" || commentFault(listed{ImportPath: "parley/chat", Doc: "Package chat …"}) != "" {
		t.Error("package comments: a package without one must be a fault, and one with it none")
	}
	const head = "package p\nimport (\n\"crypto/ed25519\"\nkeys \"github.com/nats-io/nkeys\"\n)\n"
	for source, want := range map[string]int{
		"var _, _ = keys.FromSeed(nil)":            1,
		"var _ = ed25519.NewKeyFromSeed":           1,
		"var _ = keys.FromPublicKey":               0,
		"var nkeys T; var _ = nkeys.FromSeed(nil)": 0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", head+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := seedCalls(file); len(got) != want {
			t.Errorf("%s: got %v, want %d", source, got, want)
		}
	}
}

func imports(pkg string, paths ...string) listed {
	return listed{ImportPath: module + pkg, Imports: paths}
}

func depends(pkg string, paths ...string) listed {
	return listed{ImportPath: module + pkg, Deps: paths}
}
