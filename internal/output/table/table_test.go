package table

import (
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"

	"crossrole/internal/word"
)

var (
	columns = []Column{{Title: "NAME"}, {Title: "ACCOUNT"}, {Title: "ROLE", Shrink: true}}
	rows    = [][]string{{"prod", "222222222222", "a-role-with-quite-a-long-name"}, {"日本", "", "RoleB"}, {"short"}}
)

func TestRender(t *testing.T) {
	tests := []struct {
		name  string
		width int
		want  string
	}{
		{"nobody looks", 0, "NAME   ACCOUNT       ROLE\nprod   222222222222  a-role-with-quite-a-long-name\n日本                 RoleB\nshort\n"},
		{"wide", 100, "NAME   ACCOUNT       ROLE\nprod   222222222222  a-role-with-quite-a-long-name\n日本                 RoleB\nshort\n"},
		{"narrow", 40, "NAME   ACCOUNT       ROLE\nprod   222222222222  a-role-with-quite-…\n日本                 RoleB\nshort\n"},
		{"too narrow", 28, "NAME     prod\nACCOUNT  222222222222\nROLE     a-role-with-quite-a-long-name\n\nNAME     日本\nROLE     RoleB\n\nNAME     short\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Render(columns, rows, tt.width); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestLooseColumn(t *testing.T) {
	loose := []Column{{Title: "NAME"}, {Title: "WHY", Loose: true}}
	want := "NAME  WHY\nprod  a long text that is longer than the terminal\n"
	if got := Render(loose, [][]string{{"prod", "a long text that is longer than the terminal"}}, 20); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRenderWithoutRows(t *testing.T) {
	if got := Render(columns, nil, 0); got != "NAME  ACCOUNT  ROLE\n" {
		t.Errorf("got %q", got)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("prod", "\x1b]0;x\x07", 40)
	f.Add("日本語\n", "\xff", 12)
	f.Fuzz(func(t *testing.T, a, b string, width int) {
		width %= 200
		got := Render(columns, [][]string{{a, "1", b}}, width)
		if word.Spell(strings.ReplaceAll(got, "\n", "")) != strings.ReplaceAll(got, "\n", "") {
			t.Fatalf("hostile text in %q", got)
		}
		if strings.HasPrefix(got, "NAME  ") && width > 0 && strings.Contains(got, "ACCOUNT  ROLE") {
			for line := range strings.Lines(got) {
				if w := displaywidth.String(strings.TrimSuffix(line, "\n")); w > width {
					t.Fatalf("a line of %d cells where %d fit: %q", w, width, line)
				}
			}
		}
	})
}
