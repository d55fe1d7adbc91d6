package main

import (
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"
)

// On 40 columns a table becomes lines of title and cell: nothing is cut and
// nothing but a long text wraps.
func TestListInANarrowTerminal(t *testing.T) {
	s := inTerminal(t, "", `stty cols 40; crossrole list; echo "code=$?"; stty cols 100; crossrole list; echo "again=$?"`)
	s.waitFor("again=0")
	narrow, wide, _ := strings.Cut(s.shown(), "code=0\r\n")
	for line := range strings.SplitSeq(narrow, "\r\n") {
		if displaywidth.String(line) > 40 {
			t.Errorf("a line of %d cells in 40: %q", displaywidth.String(line), line)
		}
	}
	if !strings.Contains(narrow, "NAME     prod\r\n") || !strings.Contains(narrow, "ROLE     Open\r\n") {
		t.Errorf("40 columns show %q", narrow)
	}
	if !strings.Contains(wide, "NAME   ACCOUNT") || !strings.Contains(wide, "\r\nprod   222222222222  Open") {
		t.Errorf("100 columns show %q", wide)
	}
}

// The doctor's words have colours on a terminal, and only there.
func TestDoctorsColours(t *testing.T) {
	s := inTerminal(t, "", `crossrole doctor --offline; NO_COLOR=1 crossrole doctor --offline; TERM=dumb crossrole doctor --offline; crossrole doctor --offline | cat; echo end`)
	s.waitFor("end\r\n")
	parts := strings.Split(s.shown(), "fine\r\n")
	if len(parts) != 5 {
		t.Fatalf("%d reports in %q", len(parts)-1, s.shown())
	}
	for i, name := range []string{"a terminal", "NO_COLOR", "a dumb terminal", "a pipe"} {
		if got, want := strings.Contains(parts[i], "\x1b["), i == 0; got != want {
			t.Errorf("%s: colours %v, want %v: %q", name, got, want, parts[i])
		}
	}
}
