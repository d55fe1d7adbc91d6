package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house's rules about who may know whom. A file's imports are read whatever its build tags and system, so an
// edge that only exists on Windows counts as well.

// rooms says which other rooms each room may import. A room that is missing here has not been thought about.
var rooms = map[string][]string{
	"assume":     {"profile", "remember", "word"},
	"cache":      {"disk"},
	"console":    {}, // handles secrets in addresses: see its package comment
	"credserver": {},
	"disk":       {},                      // a leaf: what files that strangers share need, whoever writes them
	"each":       {"disk", "run", "word"}, // what an account is, and how its session is obtained, comes from the one who uses it
	"explain":    {"assume", "output", "policy", "profile", "word"},
	"iamread":    {"policy", "word"}, // reads what explain judges: signed requests of its own, so that the SDK's IAM client is not linked
	"localsts":   {"policy"},
	"output":     {"assume", "profile", "word"},
	"policy":     {},
	"profile":    {"disk", "word"},
	"remember":   {},
	"run":        {},
	"word":       {}, // a leaf that every room may lean on whose text reaches a terminal
}

// earlyAnswer answers before main does; nothing else may lean on it.
const earlyAnswer = "cmd/crossrole/early"

// testRooms may be imported by any room's tests besides: the local STS is what everybody is tested against.
var testRooms = []string{"localsts", "policy"}

// parts says which files may import a library (a path prefix), and why nobody else may.
var parts = []struct {
	module string
	owner  func(file string) bool
	tests  bool // tests of other rooms may
	why    string
}{
	{"gopkg.in/ini.v1", in("internal/profile/"), false, "its traps are contained in the profile room"},
	{"github.com/aws/", in("internal/assume/", "internal/tools/", "internal/iamread/"), true, "others take an interface, and start faster"},
	{"github.com/spf13/", in("cmd/crossrole/", "internal/tools/"), true, "flags end at the command line"},
	{"testing", in(), true, "a program does not link its tests"},
	{"net/http/httptest", in(), true, "a program does not link its tests"},
	{"pgregory.net/rapid", in(), true, "a program does not link its tests"},
	{"github.com/rogpeppe/go-internal/testscript", in(), true, "a program does not link its tests"},
}

// banned says which packages a room itself (not its tests) must not reach for. net/url and net/netip only parse.
var banned = map[string][]string{
	"explain": {"os", "os/exec", "net", "net/http", "syscall"},
	"output":  {"os", "os/exec", "net", "net/http", "syscall"},
	"profile": {"os/exec", "net", "net/http"},
	"policy":  {"os", "os/exec", "net", "net/http", "syscall"},
}

func in(prefixes ...string) func(string) bool {
	return func(file string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(file, p) })
	}
}

// room names the room of a file or package path relative to the module's root; "" is outside internal/.
func room(p string) string {
	rest, ok := strings.CutPrefix(p, "internal/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func within(prefix, imported string) bool {
	return imported == strings.TrimSuffix(prefix, "/") ||
		strings.HasPrefix(imported, strings.TrimSuffix(prefix, "/")+"/")
}

// edgeFault says what is wrong with file (slash-separated, relative to the module's root) importing imported, or "".
func edgeFault(file, imported string) string {
	if inner, ok := strings.CutPrefix(imported, "crossrole/"); ok {
		return internalFault(file, inner)
	}
	return externalFault(file, imported)
}

func internalFault(file, imported string) string {
	from, to := room(file), room(imported)
	isTest := strings.HasSuffix(file, "_test.go")
	switch {
	case strings.HasPrefix(imported, "cmd/") && !strings.HasPrefix(file, "cmd/crossrole/"), imported == "cmd/crossrole":
		return "nobody imports cmd/crossrole"
	case imported == earlyAnswer && file != "cmd/crossrole/main.go":
		return "only main.go is aware of the early answer"
	case from == to && from != "":
		return ""
	case to == "tools" && !isTest:
		return "programs of the build are not linked"
	case strings.HasPrefix(file, "cmd/crossrole/"), from == "tools", from == "interop" && isTest:
		return ""
	}
	allowed, known := rooms[from]
	switch {
	case !known:
		return fmt.Sprintf("room %q is not in the table of rooms: say there whom it may know", from)
	case slices.Contains(allowed, to), isTest && slices.Contains(testRooms, to):
		return ""
	}
	return fmt.Sprintf("%s must not know %s", from, to)
}

func externalFault(file, imported string) string {
	isTest := strings.HasSuffix(file, "_test.go")
	for _, p := range parts {
		if within(p.module, imported) && !p.owner(file) && (!isTest || !p.tests) {
			return fmt.Sprintf("%s does not belong here: %s", p.module, p.why)
		}
	}
	if isTest {
		return ""
	}
	from := room(file)
	if slices.Contains(banned[from], imported) {
		return fmt.Sprintf("%s must not reach for %s", from, imported)
	}
	first, _, _ := strings.Cut(imported, "/")
	if from == "policy" && strings.Contains(first, ".") {
		return "policy is standard library only"
	}
	return ""
}

// process is what only cmd/crossrole touches.
var process = map[string][]string{
	"os": {
		"Exit", "Stdin", "Stdout", "Stderr", "Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv",
		"Clearenv", "UserHomeDir", "UserCacheDir", "UserConfigDir",
	},
	"syscall": {"Exit", "Getenv", "Environ", "Setenv", "Unsetenv", "Clearenv", "Stdin", "Stdout", "Stderr"},
}

// processUses lists where a parsed file touches the process, as "line: os.Getenv".
func processUses(set *token.FileSet, file *ast.File) []string {
	var uses []string
	names := map[string]string{} // as it is called in this file → the package
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if _, watched := process[imported]; !watched {
			continue
		}
		switch {
		case spec.Name == nil:
			names[path.Base(imported)] = imported
		case spec.Name.Name == ".":
			uses = append(uses, fmt.Sprintf("%d: dot import of %s", set.Position(spec.Pos()).Line, imported))
		default:
			names[spec.Name.Name] = imported
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(process[names[x.Name]], selector.Sel.Name) {
			uses = append(uses, fmt.Sprintf("%d: %s.%s", set.Position(n.Pos()).Line, names[x.Name], selector.Sel.Name))
		}
		return true
	})
	return uses
}

// goFiles calls visit with every Go file of the module, by its slash-separated path from the root.
func goFiles(t *testing.T, visit func(name string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	root := filepath.Join("..", "..")
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(relative), set, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportGraph(t *testing.T) {
	files := 0
	goFiles(t, func(name string, set *token.FileSet, file *ast.File) {
		files++
		if name == "cmd/crossrole/deps.go" {
			return // keeps libraries in go.mod until their room is built; never compiled
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if fault := edgeFault(name, imported); fault != "" {
				t.Errorf("%s:%d imports %s: %s", name, set.Position(spec.Pos()).Line, imported, fault)
			}
		}
	})
	if files == 0 {
		t.Fatal("found no Go files")
	}
}

func TestOnlyMainTouchesTheProcess(t *testing.T) {
	goFiles(t, func(name string, set *token.FileSet, file *ast.File) {
		if room(name) == "" || room(name) == "tools" || strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, use := range processUses(set, file) {
			t.Errorf("%s:%s: only cmd/crossrole touches the process; take it as a parameter", name, use)
		}
	})
}

func TestEdgeRules(t *testing.T) {
	const allowed = ""
	tests := []struct{ file, imported, want string }{
		{"internal/assume/plan.go", "crossrole/internal/profile", allowed},
		{"internal/output/env.go", "crossrole/internal/assume", allowed},
		{"internal/localsts/decide.go", "crossrole/internal/policy", allowed},
		{"internal/explain/finding.go", "crossrole/internal/policy", allowed},
		{"cmd/crossrole/main.go", "crossrole/internal/run", allowed},
		{"cmd/crossrole/main.go", "github.com/spf13/cobra", allowed},
		{"internal/profile/read.go", "gopkg.in/ini.v1", allowed},
		{"internal/assume/sts.go", "github.com/aws/aws-sdk-go-v2/service/sts", allowed},
		{"internal/iamread/client.go", "github.com/aws/aws-sdk-go-v2/aws/signer/v4", allowed},
		{"internal/assume/run_test.go", "crossrole/internal/localsts", allowed},
		{"internal/localsts/wire_test.go", "github.com/aws/aws-sdk-go-v2/service/sts", allowed},
		{"internal/profile/inner/x.go", "crossrole/internal/profile", allowed},
		{"internal/cache/x.go", "os", allowed},
		{"internal/policy/x.go", "net/netip", allowed},

		{"internal/profile/x.go", "crossrole/internal/assume", "profile must not know assume"},
		{"internal/assume/x.go", "crossrole/internal/output", "assume must not know output"},
		{"internal/assume/x.go", "crossrole/internal/cache", "assume must not know cache"},
		{"internal/assume/x.go", "crossrole/internal/localsts", "assume must not know localsts"},
		{"internal/explain/x.go", "crossrole/internal/iamread", "explain must not know iamread"},
		{"internal/explain/x.go", "net/http", "must not reach"},
		{"internal/explain/x.go", "os", "must not reach"},
		{"internal/cache/x_windows.go", "crossrole/internal/run", "cache must not know run"},
		{"internal/cache/x_test.go", "crossrole/internal/run", "cache must not know run"},
		{"internal/new/x.go", "crossrole/internal/run", "not in the table"},
		{"interop/x.go", "crossrole/internal/run", "not in the table"},
		{"internal/run/x_test.go", "crossrole/cmd/crossrole", "nobody imports"},
		{"cmd/other/x.go", "crossrole/cmd/crossrole", "nobody imports"},
		{"cmd/crossrole/x.go", "crossrole/internal/tools/docgen", "not linked"},
		{"cmd/crossrole/main.go", "crossrole/cmd/crossrole/early", allowed},
		{"cmd/crossrole/assume.go", "crossrole/cmd/crossrole/early", "only main.go"},
		{"cmd/crossrole/early/early.go", "crossrole/internal/remember", allowed},
		{"internal/run/x.go", "crossrole/cmd/crossrole/early", "nobody imports"},
		{"internal/assume/x.go", "gopkg.in/ini.v1", "does not belong"},
		{"internal/assume/x_test.go", "gopkg.in/ini.v1", "does not belong"},
		{"cmd/crossrole/x.go", "gopkg.in/ini.v1", "does not belong"},
		{"internal/output/x.go", "github.com/aws/aws-sdk-go-v2/aws", "does not belong"},
		{"internal/localsts/x.go", "github.com/aws/smithy-go", "does not belong"},
		{"cmd/crossrole/assume.go", "github.com/aws/aws-sdk-go-v2/service/sts", "does not belong"},
		{"internal/run/x.go", "github.com/spf13/pflag", "does not belong"},
		{"internal/run/x.go", "net/http/httptest", "does not belong"},
		{"internal/output/x.go", "os", "must not reach"},
		{"internal/output/x.go", "net/http", "must not reach"},
		{"internal/profile/x.go", "net", "must not reach"},
		{"internal/policy/x.go", "go.yaml.in/yaml/v3", "standard library only"},
	}
	for _, tt := range tests {
		got := edgeFault(tt.file, tt.imported)
		if (tt.want == allowed) != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s: fault %q, want %q", tt.file, tt.imported, got, tt.want)
		}
	}
}

func TestProcessUses(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"plain", `package x; import "os"; func f() string { return os.Getenv("HOME") }`, "os.Getenv"},
		{"a value, not a call", `package x; import "os"; var out = os.Stdout`, "os.Stdout"},
		{"under another name", `package x; import sys "os"; func f() { sys.Exit(1) }`, "os.Exit"},
		{"the back door", `package x; import "syscall"; func f() { syscall.Exit(1) }`, "syscall.Exit"},
		{"dot import", `package x; import . "os"`, "dot import"},
		{"files are anybody's", `package x; import "os"; var f = os.Open`, ""},
		{"another package called os", `package x; import os "example.org/fake"; var f = os.Getenv`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, "x.go", tt.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(processUses(set, file), "; ")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("uses %q, want %q", got, tt.want)
			}
		})
	}
}
