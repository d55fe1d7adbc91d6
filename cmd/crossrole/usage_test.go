package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"crossrole/internal/output"
)

// Every --format says the same of a name that it does not know, and which it knows, before anything is read.
func TestEveryFormatIsChecked(t *testing.T) {
	arguments := map[string][]string{
		"each":    {"*", "--", "true"},
		"explain": {"prod"},
	}
	checked := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if !cmd.Runnable() || cmd.Flags().Lookup("format") == nil {
			return
		}
		checked++
		line := strings.Fields(commandName(cmd))
		line = append(append(line, "--format", "nonsense"), arguments[cmd.Name()]...)
		got := runApp(t, "", map[string]string{"AWS_CONFIG_FILE": t.TempDir()}, line...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, `unknown --format "nonsense"`+"\nhint: it is one of ") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", line, got.code, got.out, got.err)
		}
	}
	root := newRoot(&app{getenv: func(string) string { return "" }})
	visit(root)
	if checked < 10 {
		t.Errorf("only %d commands with --format were found", checked)
	}
}

// The help of assume says what each format is for.
func TestHelpHasEveryFormat(t *testing.T) {
	_, table, _ := strings.Cut(assumeHelp, "--format:")
	words := strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune(" ,\n", r) })
	for _, format := range output.Formats() {
		if !slices.Contains(words, format) {
			t.Errorf("%s is missing", format)
		}
	}
}
