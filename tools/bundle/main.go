// Command bundle makes the console's scripts and styles: from console/ui/web and the npm packages
// that its package-lock.json names, into console/ui/static. What it makes is committed, so that
// building and running Parley needs no node. It is a module of its own, so that its dependencies
// don't raise the versions of Parley's.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bundle DIR, the folder console/ui")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

// entries are the files that pages load.
var entries = []string{"app.js", "app.css", "chart.js", "icon.svg", "sdk.js", "chat.js", "passkey.js"}

func run(ui string) error {
	web := filepath.Join(ui, "web")
	for _, dir := range []string{web, filepath.Join(ui, "..", "..", "client", "js")} {
		npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir, npm.Stdout, npm.Stderr = dir, os.Stderr, os.Stderr
		if err := npm.Run(); err != nil {
			return fmt.Errorf("npm ci in %s: %w", dir, err)
		}
	}
	options := api.BuildOptions{
		Outdir: filepath.Join(ui, "static"), Bundle: true, Write: true, Format: api.FormatESModule,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Target: api.ES2022, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsEndOfFile,
		// The browser's stylesheets load nothing but what is in them.
		Loader: map[string]api.Loader{".svg": api.LoaderCopy},
	}
	for _, e := range entries {
		options.EntryPoints = append(options.EntryPoints, filepath.Join(web, e))
	}
	var errs []error
	for _, m := range api.Build(options).Errors {
		where := ""
		if m.Location != nil {
			where = fmt.Sprintf("%s:%d: ", m.Location.File, m.Location.Line)
		}
		errs = append(errs, errors.New(where+m.Text))
	}
	return errors.Join(errs...)
}
