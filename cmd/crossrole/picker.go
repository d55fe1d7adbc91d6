package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
	"github.com/sahilm/fuzzy"

	"crossrole/internal/word"
)

// picker is what a person has typed and which names that leaves: the part that
// knows no terminal.
type picker struct {
	names    []string
	describe func(name string) string
	typed    []rune
	found    fuzzy.Matches // best first; in the order of the files when nothing is typed
	at       int           // the marked one of found
	top      int           // the first one shown
}

func newPicker(names []string, describe func(string) string) *picker {
	known := map[string]string{}
	p := &picker{names: names, describe: func(name string) string {
		text, ok := known[name]
		if !ok {
			text = describe(name)
			known[name] = text
		}
		return text
	}}
	p.search()
	return p
}

// search finds again, and marks the best.
func (p *picker) search() {
	p.at, p.top = 0, 0
	if len(p.typed) > 0 {
		p.found = fuzzy.Find(string(p.typed), p.names)
		return
	}
	p.found = make(fuzzy.Matches, len(p.names))
	for i := range p.names {
		p.found[i].Index = i
	}
}

// key is one thing that a person does.
type key int

// The keys. A keyText comes with its text.
const (
	keyNone key = iota
	keyText
	keyEnter
	keyCancel
	keyUp
	keyDown
	keyPageUp
	keyPageDown
	keyHome
	keyEnd
	keyBackspace
	keyWord // delete the last word
	keyLine // delete the line
)

// press changes the picker, and tells when it is over: chosen, or given up.
func (p *picker) press(k key, text string, page int) (over, chosen bool) {
	switch k {
	case keyEnter:
		return len(p.found) > 0, len(p.found) > 0
	case keyCancel:
		return true, false
	case keyUp, keyDown, keyPageUp, keyPageDown, keyHome, keyEnd:
		p.move(k, page)
	case keyText:
		p.typed = append(p.typed, []rune(text)...)
		p.search()
	case keyBackspace, keyWord, keyLine:
		p.erase(k)
		p.search()
	case keyNone:
	}
	return false, false
}

func (p *picker) move(k key, page int) {
	switch k {
	case keyUp:
		p.at--
	case keyDown:
		p.at++
	case keyPageUp:
		p.at -= page
	case keyPageDown:
		p.at += page
	case keyHome:
		p.at = 0
	default:
		p.at = len(p.found)
	}
	p.at = max(0, min(p.at, len(p.found)-1))
}

func (p *picker) erase(k key) {
	n := len(p.typed)
	switch k {
	case keyLine:
		n = 0
	case keyWord:
		for n > 0 && unicode.IsSpace(p.typed[n-1]) {
			n--
		}
		for n > 0 && !unicode.IsSpace(p.typed[n-1]) {
			n--
		}
	default:
		n = max(0, n-1)
	}
	p.typed = p.typed[:n]
}

// pickStyle says how the picker is drawn.
type pickStyle struct{ plain bool }

func (s pickStyle) paint(code, text string) string {
	if s.plain || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// draw gives the lines of a screen: what is typed and how many fit it, then the
// names. No line is wider than the screen.
func (p *picker) draw(style pickStyle, width, height int) []string {
	rows := max(1, height-1)
	if p.at < p.top {
		p.top = p.at
	}
	if p.at >= p.top+rows {
		p.top = p.at - rows + 1
	}
	count := "  " + strconv.Itoa(len(p.found)) + "/" + strconv.Itoa(len(p.names))
	typed := word.Spell(string(p.typed))
	if room := width - len("profile: ") - len(count); displaywidth.String(typed) > room {
		typed = tail(typed, room)
	}
	lines := []string{fitted("profile: "+typed, width-len(count)) + style.paint("2", fitted(count, width))}
	for i := p.top; i < min(len(p.found), p.top+rows); i++ {
		lines = append(lines, p.line(style, i, width))
	}
	return lines
}

func (p *picker) line(style pickStyle, i, width int) string {
	mark, code := "  ", "0"
	if i == p.at {
		mark, code = "> ", "7"
	}
	name := word.Spell(p.names[p.found[i].Index])
	shown := fitted(mark+name, width)
	about := p.describe(p.names[p.found[i].Index])
	if room := width - displaywidth.String(shown) - len("  "); about != "" && room >= 8 {
		return style.paint(code, shown) + "  " + style.paint("2", fitted(word.Spell(about), room))
	}
	return style.paint(code, shown)
}

// fitted cuts a text to a width in terminal cells.
func fitted(text string, width int) string {
	if width <= 0 {
		return ""
	}
	if displaywidth.String(text) <= width {
		return text
	}
	return displaywidth.TruncateString(text, width, "…")
}

// tail keeps the end of a text, where the cursor is.
func tail(text string, width int) string {
	for displaywidth.String(text) > max(0, width) && text != "" {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

// keys are the escape sequences and control characters that the picker knows.
var keys = map[string]key{
	"\r": keyEnter, "\n": keyEnter,
	"\x03": keyCancel, "\x04": keyCancel, "\x07": keyCancel, "\x1b": keyCancel,
	"\x10": keyUp, "\x0b": keyUp, "\x1b[A": keyUp, "\x1bOA": keyUp,
	"\x0e": keyDown, "\x1b[B": keyDown, "\x1bOB": keyDown, "\t": keyDown, "\x1b[Z": keyUp,
	"\x1b[5~": keyPageUp, "\x1b[6~": keyPageDown,
	"\x1b[H": keyHome, "\x1bOH": keyHome, "\x1b[1~": keyHome, "\x01": keyHome,
	"\x1b[F": keyEnd, "\x1bOF": keyEnd, "\x1b[4~": keyEnd, "\x05": keyEnd,
	"\x7f": keyBackspace, "\x08": keyBackspace, "\x17": keyWord, "\x15": keyLine,
}

// nextKey takes one key off what was typed. It gives size 0 when the rest of a
// sequence or of a character has yet to come; final says that nothing comes.
func nextKey(in []byte, final bool) (k key, text string, size int) {
	switch {
	case len(in) == 0:
		return keyNone, "", 0
	case in[0] == 0x1b:
		size = escapeSize(in)
		if size == 0 && !final {
			return keyNone, "", 0
		}
		if size == 0 {
			size = len(in)
		}
		return keys[string(in[:size])], "", size
	case in[0] < ' ' || in[0] == 0x7f:
		return keys[string(in[:1])], "", 1
	case !utf8.FullRune(in) && !final:
		return keyNone, "", 0
	}
	r, size := utf8.DecodeRune(in)
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return keyNone, "", size
	}
	return keyText, string(r), size
}

// escapeSize is how long the escape sequence at the beginning is, or 0 if it
// has not ended. A bare escape is followed by nothing or by no sequence.
func escapeSize(in []byte) int {
	if len(in) == 1 {
		return 0
	}
	switch in[1] {
	case 'O':
		if len(in) < 3 {
			return 0
		}
		return 3
	case '[':
		end := strings.IndexFunc(string(in[2:]), func(r rune) bool { return r >= 0x40 && r <= 0x7e })
		if end < 0 {
			return 0
		}
		return 2 + end + 1
	}
	return 1
}
