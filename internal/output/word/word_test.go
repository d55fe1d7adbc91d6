package word

import "testing"

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "arn:aws:iam::1:role/名前 x": "arn:aws:iam::1:role/名前 x", "a\x1b[31m": `"a\x1b[31m"`, "a\nb": `"a\nb"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	words := []string{"crossrole", "a b", "", "it's", "$(x)", "team=a", "~", "a\x1bb", "*"}
	if got, want := Line(words), `crossrole 'a b' '' 'it'\''s' '$(x)' team=a '~' "a\x1bb" '*'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
