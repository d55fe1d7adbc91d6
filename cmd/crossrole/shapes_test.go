//go:build docs

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// jsonShapes are the documented shapes of what commands print, by the Go type that prints them: the page is made of the
// types' own tags and comments.
var jsonShapes = []struct{ command, dir, name string }{
	{"crossrole assume --format process", "internal/output", "processJSON"},
	{"crossrole assume --format json", "internal/output", "documentJSON"},
	{"crossrole assume --dry-run --format json", "internal/output/plantext", "Plan"},
	{"crossrole show --format json", "cmd/crossrole", "showJSON"},
	{"crossrole list --format json", "cmd/crossrole", "listJSON"},
	{"crossrole whoami --format json", "cmd/crossrole", "whoamiJSON"},
	{"crossrole explain PROFILE --format json", "internal/explain", "Report"},
	{"crossrole explain --request FILE --format json", "internal/policy", "Result"},
	{"crossrole each --format jsonl, a line each", "internal/each", "Record"},
	{"crossrole cache list --format json", "cmd/crossrole", "cacheListing"},
	{"crossrole doctor --format json", "cmd/crossrole", "report"},
}

// shared is the package whose shapes are part of other packages' shapes.
const shared = "internal/output/plantext"

// types are the type declarations of one package, and under their qualified names those of the shared one.
type types map[string]ast.Expr

func parseTypes(t *testing.T, dir string) types {
	t.Helper()
	found := types{}
	set := token.NewFileSet()
	folder := filepath.Join("..", "..", filepath.FromSlash(dir))
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(folder, entry.Name()), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				found[spec.Name.Name] = spec.Type
			}
			return true
		})
	}
	return found
}

// shapeField is one row of the page.
type shapeField struct{ path, kind, meaning string }

// fields lists what a struct type prints, nested ones under their path.
func (ty types) fields(prefix string, s *ast.StructType, seen []string) []shapeField {
	var rows []shapeField
	for _, f := range s.Fields.List {
		name, optional := "", false
		if f.Tag != nil {
			tag, _ := strconv.Unquote(f.Tag.Value)
			var options string
			name, options, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			optional = strings.Contains(options, "omitempty")
		}
		if name == "-" || len(f.Names) > 0 && !f.Names[0].IsExported() {
			continue
		}
		if len(f.Names) == 0 { // embedded: its fields are printed here
			if inner, ok := ty[fmt.Sprint(f.Type)].(*ast.StructType); ok {
				rows = append(rows, ty.fields(prefix, inner, seen)...)
			}
			continue
		}
		if name == "" {
			name = f.Names[0].Name
		}
		kind, inner, suffix := ty.describe(f.Type)
		if optional {
			kind += ", or left out"
		}
		meaning := strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text())
		rows = append(rows, shapeField{prefix + name, kind, strings.Join(strings.Fields(meaning), " ")})
		if nested, ok := ty[inner].(*ast.StructType); ok && !slices.Contains(seen, inner) {
			rows = append(rows, ty.fields(prefix+name+suffix+".", nested, append(seen, inner))...)
		}
	}
	return rows
}

// describe says a Go type in JSON's words; inner is the local type within, and suffix how its path goes on.
func (ty types) describe(e ast.Expr) (kind, inner, suffix string) {
	switch e := e.(type) {
	case *ast.StarExpr:
		kind, inner, suffix = ty.describe(e.X)
		return kind + " or null", inner, suffix
	case *ast.ArrayType:
		kind, inner, suffix = ty.describe(e.Elt)
		return "list of " + plural(kind), inner, "[]" + suffix
	case *ast.MapType:
		kind, inner, suffix = ty.describe(e.Value)
		return "object of " + plural(kind), inner, ".NAME" + suffix
	case *ast.SelectorExpr:
		switch e.Sel.Name {
		case "Time":
			return "time", "", "" // RFC 3339
		case "RawMessage":
			return "JSON value", "", ""
		}
		if name := fmt.Sprint(e.X) + "." + e.Sel.Name; ty[name] != nil {
			return "object", name, ""
		}
		return "text", "", ""
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "text", "", ""
		case "int", "int64", "float64":
			return "number", "", ""
		case "bool":
			return "true or false", "", ""
		case "any":
			return "value", "", ""
		}
		if _, ok := ty[e.Name].(*ast.StructType); ok {
			return "object", e.Name, ""
		}
		if under, ok := ty[e.Name]; ok {
			return ty.describe(under)
		}
	}
	return "value", "", ""
}

func plural(kind string) string {
	if strings.Contains(kind, " ") && kind != "JSON value" {
		return kind
	}
	return kind + "s"
}

// shapesPage is docs/reference/json.md.
func shapesPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# JSON\n\nWhat `--format json` and its like print. Fields may be added; none changes its meaning or goes away without a new\n`version`. Times are RFC 3339 in UTC. \"Left out\" means that the field is not there when there is nothing to tell.\n")
	parsed := map[string]types{}
	for _, shape := range jsonShapes {
		if parsed[shape.dir] == nil {
			parsed[shape.dir] = parseTypes(t, shape.dir)
			for name, expr := range parseTypes(t, shared) {
				parsed[shape.dir][path.Base(shared)+"."+name] = expr
			}
		}
		ty := parsed[shape.dir]
		s, ok := ty[shape.name].(*ast.StructType)
		if !ok {
			t.Fatalf("%s has no struct %s, which prints %q", shape.dir, shape.name, shape.command)
		}
		fmt.Fprintf(&b, "\n## `%s`\n\n| field | value | meaning |\n|---|---|---|\n", shape.command)
		for _, row := range ty.fields("", s, []string{shape.name}) {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row.path, strings.ReplaceAll(row.kind, "|", `\|`), strings.ReplaceAll(row.meaning, "|", `\|`))
		}
	}
	return b.String()
}
