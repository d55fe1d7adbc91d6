package each

import (
	"strings"
	"testing"
)

// A name can neither lead out of the folder nor drive the terminal.
func TestFileNamesStayInTheFolder(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a", "../a", "..", ".", "a/b", "a b", "a\x00b", "%2F", "/etc/passwd", "-rf", "é", "a.b"} {
		got := fileName(Target{Profile: name})
		if strings.ContainsAny(got, "/\\\x00 ") || got == "." || got == ".." || strings.HasPrefix(got, ".") {
			t.Errorf("%q: %q", name, got)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q share %q", name, other, got)
		}
		seen[got] = name
	}
	if label := (Target{Profile: "a\x1b[31m", Region: "\x07"}).Label(); strings.ContainsAny(label, "\x1b\x07") {
		t.Errorf("%q", label)
	}
}
