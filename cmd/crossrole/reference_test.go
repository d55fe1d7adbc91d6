//go:build docs

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"crossrole/internal/profile"
	"crossrole/internal/tools/docgen"
)

var writeDocs = flag.Bool("write-docs", false, "write docs/reference and docs/man instead of comparing them (make docs)")

// exitCodes are the codes that every command may end with, for the reference.
var exitCodes = [][2]string{
	{"0", "Done."},
	{"1", "Failed: AWS, the network or the disk."},
	{"2", "Usage: a flag or an argument is wrong. Nothing was read or called."},
	{"3", "Configuration: no such profile, a cycle, a bad value."},
	{"4", "Denied: AWS, or an evaluation of policies, says no."},
	{"5", "A person is needed: an MFA code, a login."},
	{"130", "Interrupted."},
}

// variableOf names the environment variable of a flag.
func variableOf(flag string) string { return flagVariable(flag) }

// referencePages makes every generated page: its path under docs/ and its text.
func referencePages(t *testing.T) map[string]string {
	t.Helper()
	root := newRoot(newApp())
	sections := []docgen.Section{{Title: "EXIT STATUS", Rows: exitCodes}, {Title: "ENVIRONMENT", Rows: [][2]string{
		{"CROSSROLE_<FLAG>", "sets a flag: the command line beats it, and it beats the profile"},
	}}}
	pages := map[string]string{
		"reference/environment.md": environmentPage(),
		"reference/exit-codes.md":  exitCodePage(),
		"reference/config-keys.md": configKeyPage(),
		"reference/json.md":        shapesPage(t),
	}
	for _, cmd := range docgen.Commands(root) {
		pages["reference/"+docgen.FileName(cmd)+".md"] = docgen.Markdown(cmd, variableOf)
		pages["man/"+docgen.FileName(cmd)+".1"] = docgen.Man(cmd, variableOf, sections)
	}
	pages["reference/README.md"] = indexPage(root)
	return pages
}

func indexPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Reference\n\nWritten by `make docs` from the texts that `--help` prints.\n\n")
	b.WriteString("- [exit codes](exit-codes.md)\n- [environment variables](environment.md)\n- [keys of a profile](config-keys.md)\n- [JSON](json.md)\n\n| command | for |\n|---|---|\n")
	for _, cmd := range docgen.Commands(root) {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", cmd.CommandPath(), docgen.FileName(cmd), strings.ReplaceAll(cmd.Short, "|", `\|`))
	}
	return b.String()
}

func exitCodePage() string {
	var b strings.Builder
	b.WriteString("# Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, row := range exitCodes {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteString("\n`crossrole exec` and `crossrole each` give the child's own code, and 126, 127 and 128+signal as shells do.\n")
	return b.String()
}

func configKeyPage() string {
	var b strings.Builder
	b.WriteString("# Keys of a profile\n\nWhat crossrole and the AWS CLI read in a profile of `~/.aws/config`. Other keys are kept, and `crossrole show` shows them.\n" +
		"Keys that only crossrole reads are marked: for them, other tools see a profile without that key.\n\n| key | meaning | read by | secret |\n|---|---|---|---|\n")
	for _, key := range profile.Keys() {
		by, secret := "AWS", ""
		if key.Ours {
			by = "crossrole"
		}
		if key.Secret {
			secret = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key.Name, strings.ReplaceAll(key.Meaning, "<", `\<`), by, secret)
	}
	return b.String()
}

func environmentPage() string {
	var b strings.Builder
	b.WriteString("# Environment variables\n\nEvery flag also reads `CROSSROLE_<FLAG>`: `CROSSROLE_REGION` for `--region`.\n" +
		"The command line beats the environment, and the environment beats the profile.\n\n| variable | meaning | secret |\n|---|---|---|\n")
	for _, v := range variables {
		secret := ""
		if v.Secret {
			secret = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, strings.ReplaceAll(v.Meaning, "|", `\|`), secret)
	}
	return b.String()
}

// TestReferenceIsCurrent compares docs/reference and docs/man with the code, or writes them (make docs). It has a build
// tag because it is a check of the checkout, like the linters that make lint runs it with, and not of the program.
func TestReferenceIsCurrent(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	pages := referencePages(t)
	var stale []string
	for name, want := range pages {
		file := filepath.Join(docs, filepath.FromSlash(name))
		if *writeDocs {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")); err != nil || string(got) != want {
			stale = append(stale, name)
		}
	}
	for _, pattern := range []string{"reference/*.md", "man/*.1"} {
		files, err := filepath.Glob(filepath.Join(docs, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := filepath.ToSlash(strings.TrimPrefix(file, docs+string(filepath.Separator)))
			if _, ok := pages[name]; ok {
				continue
			}
			if *writeDocs {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				continue
			}
			stale = append(stale, name+" (no such command)")
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		t.Errorf("out of date, run `make docs`: %s", strings.Join(stale, ", "))
	}
}
