package assume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program in a folder whose name has a blank, with an argument that has one: what every program of a usual Windows
// installation needs, and what cmd.exe only finds if nobody escapes the quotes.
func TestShellKeepsQuotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "Program Files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "give.bat")
	if err := os.WriteFile(program, []byte("@echo [%~1][%~2]\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		`"` + program + `"`:                   "[][]",
		`"` + program + `" plain "two words"`: "[plain][two words]",
		`"` + program + `" "a b" last`:        "[a b][last]",
		`echo {"Version":1}`:                  `{"Version":1}`,
	} {
		out, err := shellCommand(t.Context(), command).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", command, got, err, want)
		}
	}
}
