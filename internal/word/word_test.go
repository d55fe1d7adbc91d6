package word

import (
	"runtime"
	"testing"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "arn:aws:iam::1:role/名前 x": "arn:aws:iam::1:role/名前 x", "a\x1b[31m": `"a\x1b[31m"`, "a\nb": `"a\nb"`, "a\x9b31m": `"a\x9b31m"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSpell(t *testing.T) {
	for text, want := range map[string]string{
		"plain é 日本":            "plain é 日本",
		"\x1b[31mred":           `\x1b[31mred`,
		"a\nb\tc":               `a\nb\tc`,
		"\u202egnp.exe":         `\u202egnp.exe`,
		"\u009b31m":             `\u009b31m`,
		"\xff\xfe":              `\xff\xfe`,
		"a\ufffd":               `a\ufffd`,
		"nbsp\u00a0 zero\u200b": `nbsp\u00a0 zero\u200b`,
	} {
		if got := Spell(text); got != want {
			t.Errorf("Spell(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	words := []string{"crossrole", "a b", "", "it's", "$(x)", "team=a", "~", "a\x1bb", "*", "\u202e$(x)`y`'\\\n"}
	if runtime.GOOS == "windows" {
		t.Skip("the line of a POSIX shell")
	}
	if got, want := Line(words), `crossrole 'a b' '' 'it'\''s' '$(x)' team=a '~' $'a\033b' '*' $'\342\200\256$(x)`+"`y`"+`\'\\\012'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What a hint quotes is for the shells of the system that the person has.
func TestShellOfEachSystem(t *testing.T) {
	for _, c := range []struct{ text, unix, windows string }{
		{"prod", "prod", "prod"},
		{"", "''", "''"},
		{"team@x:y/z", "team@x:y/z", "team@x:y/z"},
		{"A B", "'A B'", `"A B"`},
		{"it's", `'it'\''s'`, `"it's"`},
		{`docs\trust.json`, `'docs\trust.json'`, `docs\trust.json`},
		{`C:\Program Files (x86)\a`, `'C:\Program Files (x86)\a'`, `"C:\Program Files (x86)\a"`},
		{"$(calc)", "'$(calc)'", "'$(calc)'"},
		{"a&calc", "'a&calc'", "'a&calc'"},
		{"50%", "50%", "'50%'"},
		{"x\x9b", `$'x\233'`, "'x\ufffd'"},
		{"x\x1b$(calc)", `$'x\033$(calc)'`, "'x\ufffd$(calc)'"},
	} {
		if got := shell(c.text, false); got != c.unix {
			t.Errorf("%q on Unix: %s, want %s", c.text, got, c.unix)
		}
		if got := shell(c.text, true); got != c.windows {
			t.Errorf("%q on Windows: %s, want %s", c.text, got, c.windows)
		}
	}
}
