package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"
)

func TestNextKey(t *testing.T) {
	tests := []struct {
		in    string
		final bool
		key   key
		text  string
		size  int
	}{
		{"a", false, keyText, "a", 1},
		{"ab", false, keyText, "a", 1},
		{"é", false, keyText, "é", 2},
		{"\xc3", false, keyNone, "", 0},
		{"\xc3", true, keyNone, "", 1},
		{"\xff", true, keyNone, "", 1},
		{"\u202e", false, keyNone, "", 3},
		{"\r", false, keyEnter, "", 1},
		{"\x03", false, keyCancel, "", 1},
		{"\x1b", false, keyNone, "", 0},
		{"\x1b", true, keyCancel, "", 1},
		{"\x1bx", false, keyCancel, "", 1},
		{"\x1b[A", false, keyUp, "", 3},
		{"\x1bOB", false, keyDown, "", 3},
		{"\x1b[", false, keyNone, "", 0},
		{"\x1b[6~x", false, keyPageDown, "", 4},
		{"\x1b[200~", false, keyNone, "", 6},
		{"\x1b[1;5C", false, keyNone, "", 6},
		{"\x7f", false, keyBackspace, "", 1},
		{"\x02", false, keyNone, "", 1},
		{"", true, keyNone, "", 0},
	}
	for _, tt := range tests {
		k, text, size := nextKey([]byte(tt.in), tt.final)
		if k != tt.key || text != tt.text || size != tt.size {
			t.Errorf("%q (final %v): %v %q %d, want %v %q %d", tt.in, tt.final, k, text, size, tt.key, tt.text, tt.size)
		}
	}
}

// FuzzNextKey: whatever comes, it is taken in, a bit at a time.
func FuzzNextKey(f *testing.F) {
	for _, in := range []string{"abc", "\x1b[A", "\x1b\x1b[", "\xc3\xa9", "\x1bO", "\x1b[\xff"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for len(in) > 0 {
			_, text, size := nextKey(in, true)
			if size < 1 || size > len(in) || strings.ContainsAny(text, "\x1b\r\n") {
				t.Fatalf("%q: %q, %d bytes", in, text, size)
			}
			in = in[size:]
		}
	})
}

func testPicker(names ...string) *picker {
	return newPicker(names, func(name string) string { return "222222222222 RoleOf" + name })
}

func TestPickerKeys(t *testing.T) {
	p := testPicker("alpha", "beta", "beta-prod", "gamma")
	steps := []struct {
		key  key
		text string
		want string // the marked name
	}{
		{keyDown, "", "beta"},
		{keyDown, "", "beta-prod"},
		{keyUp, "", "beta"},
		{keyEnd, "", "gamma"},
		{keyDown, "", "gamma"},
		{keyHome, "", "alpha"},
		{keyUp, "", "alpha"},
		{keyPageDown, "", "beta-prod"},
		{keyPageUp, "", "alpha"},
		{keyText, "pr", "beta-prod"},
		{keyBackspace, "", "beta-prod"},
		{keyLine, "", "alpha"},
		{keyText, "gam ma", ""},
		{keyWord, "", ""},
		{keyWord, "", "alpha"},
		{keyNone, "", "alpha"},
	}
	for i, s := range steps {
		if over, _ := p.press(s.key, s.text, 2); over {
			t.Fatalf("step %d ended the picker", i)
		}
		got := ""
		if len(p.found) > 0 {
			got = p.names[p.found[p.at].Index]
		}
		if got != s.want {
			t.Errorf("step %d: %q is marked, want %q", i, got, s.want)
		}
	}
	if over, chosen := p.press(keyEnter, "", 2); !over || !chosen {
		t.Error("Enter does not choose")
	}
	p.press(keyText, "zzzz", 2)
	if over, _ := p.press(keyEnter, "", 2); over {
		t.Error("Enter chooses though nothing fits")
	}
	if over, chosen := p.press(keyCancel, "", 2); !over || chosen {
		t.Error("Esc does not give up")
	}
}

func TestPickerDrawsWithinTheScreen(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("profile-with-a-long-name-%03d-日本語", i))
	}
	names = append(names, "\x1b]0;title\x07\x1b[31mred\u202e")
	p := testPicker(names...)
	p.press(keyEnd, "", 1)
	for _, size := range [][2]int{{80, 24}, {40, 10}, {20, 3}, {9, 2}, {1, 1}, {200, 400}} {
		for _, plain := range []bool{true, false} {
			lines := p.draw(pickStyle{plain: plain}, size[0], size[1])
			if len(lines) > max(2, size[1]) {
				t.Errorf("%d lines on a screen of %v", len(lines), size)
			}
			marked := 0
			for _, line := range lines {
				bare := strings.NewReplacer("\x1b[0m", "", "\x1b[2m", "", "\x1b[7m", "").Replace(line)
				if plain && bare != line || strings.ContainsAny(bare, "\x1b\x07\u202e") {
					t.Errorf("an escape sequence in %q", line)
				}
				if width := displaywidth.String(bare); width > size[0] {
					t.Errorf("a line of %d cells on a screen of %v: %q", width, size, bare)
				}
				if strings.HasPrefix(bare, ">") {
					marked++
				}
			}
			if marked != 1 && size[0] > 1 {
				t.Errorf("%d lines are marked on a screen of %v: %q", marked, size, lines)
			}
		}
	}
}

func TestPickerDescribesWhatItShows(t *testing.T) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("team%d-account%d", i%50, i)
	}
	asked := 0
	p := newPicker(names, func(string) string { asked++; return "x" })
	for _, text := range []string{"t", "e", "am4", "99"} {
		p.press(keyText, text, 20)
		p.draw(pickStyle{}, 80, 24)
	}
	if asked > 5*24 {
		t.Errorf("%d profiles were read for five screens of 24 lines", asked)
	}
}

func BenchmarkPickerKey10000(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("team%d-account%d-administrator", i%50, i)
	}
	p := newPicker(names, func(string) string { return "222222222222 Admin" })
	for b.Loop() {
		p.press(keyLine, "", 20)
		p.press(keyText, "t4adm", 20)
		p.draw(pickStyle{}, 80, 24)
	}
}
