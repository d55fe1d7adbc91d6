package termsvg

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestWhatTheScreenShows(t *testing.T) {
	for in, want := range map[string][]string{
		"a\r\nb":                      {"a", "b"},
		"abcdefgh\r\ni":               {"abcdefgh", "i"},
		"abcdefghi":                   {"abcdefgh", "i"},
		"old text\rnew\x1b[K":         {"new"},
		"ab\b\bc":                     {"cb"},
		"\x1b]0;title\a$ x":           {"$ x"},
		"a\x1b[32mb\x1b[0m\x1b[1;31m": {"ab"},
	} {
		s := NewScreen(8)
		if err := s.Show(in); err != nil || !slices.Equal(s.Lines(), want) {
			t.Errorf("%q shows %q, %v; want %q", in, s.Lines(), err, want)
		}
	}
}

// What can't be drawn is an error, never a picture without it.
func TestWhatIsNotUnderstood(t *testing.T) {
	for _, in := range []string{"\x1b[2J", "\x1b[31", "\x1b[48;5;1m", "\x1b]0;no end", "\x1b", "\x07", "\xff"} {
		if err := NewScreen(80).Show(in); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

func TestThePicture(t *testing.T) {
	s := NewScreen(40)
	if err := s.Show("$ <ls> &\r\n\x1b[1;31mDENIED\x1b[0m  why\r\n\x1b[2mfaint\x1b[0m\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	svg := s.SVG(`a "session"`)
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{
		"<title>a &#34;session&#34;</title>",
		`<text y="41"><tspan x="14" textLength="64">$ &lt;ls&gt; &amp;</tspan></text>`,
		`<tspan x="14" textLength="48" class="b" fill="#f47067">DENIED</tspan><tspan x="78" textLength="24">why</tspan>`,
		`<tspan x="14" textLength="40" class="f">faint</tspan>`,
		`height="96"`, // three rows: those below have nothing
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}
