// Package termsvg draws what a terminal shows as an SVG picture: the text, its colours, and nothing that moves. Only a test
// of cmd/crossrole links it, which makes the picture of the docs from a real session.
package termsvg

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Style is how a cell looks. Colour is that of SGR 30 to 37 and 90 to 97; zero is the terminal's own.
type Style struct {
	Colour      int
	Bold, Faint bool
}

type cell struct {
	char  rune
	style Style
}

// Screen is a terminal of fixed width that never scrolls: it grows downwards.
type Screen struct {
	width    int
	rows     [][]cell
	row, col int
	style    Style
}

// NewScreen makes an empty screen of so many columns.
func NewScreen(width int) *Screen { return &Screen{width: width, rows: make([][]cell, 1)} }

// Show puts a whole session's output onto the screen. A sequence that the screen does not know is an error: a picture that
// leaves something out would be wrong.
func (s *Screen) Show(text string) error {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == '\x1b':
			taken, err := s.sequence(text)
			if err != nil {
				return err
			}
			n = taken
		case r == '\r':
			s.col = 0
		case r == '\n':
			s.down()
		case r == '\b':
			s.col = max(0, s.col-1)
		case r < ' ' || r == utf8.RuneError:
			return fmt.Errorf("termsvg: character %q is not understood", text[:n])
		default:
			s.put(r)
		}
		text = text[n:]
	}
	return nil
}

// put writes one character. As in terminals, the line is broken when the next one comes, not when the last one fits.
func (s *Screen) put(r rune) {
	if s.col == s.width {
		s.down()
		s.col = 0
	}
	row := s.rows[s.row]
	for len(row) <= s.col {
		row = append(row, cell{char: ' '})
	}
	row[s.col] = cell{r, s.style}
	s.rows[s.row] = row
	s.col++
}

func (s *Screen) down() {
	s.row++
	if s.row == len(s.rows) {
		s.rows = append(s.rows, nil)
	}
}

// sequence obeys the escape sequence at the text's beginning, and gives its length: colours, erasing to the line's end, and
// titles (which are not in the picture).
func (s *Screen) sequence(text string) (int, error) {
	if strings.HasPrefix(text, "\x1b]") {
		if end := strings.IndexByte(text, '\a'); end > 0 {
			return end + 1, nil
		}
	}
	if strings.HasPrefix(text, "\x1b[") {
		end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' && r <= '~' }) + 2
		switch parameters := text[2:max(2, end)]; {
		case end < 2:
		case text[end] == 'm':
			return end + 1, s.colour(parameters)
		case text[end] == 'K' && parameters == "":
			s.rows[s.row] = s.rows[s.row][:min(s.col, len(s.rows[s.row]))]
			return end + 1, nil
		}
	}
	return 0, fmt.Errorf("termsvg: escape sequence %q is not understood", text[:min(len(text), 12)])
}

func (s *Screen) colour(parameters string) error {
	for p := range strings.SplitSeq(parameters, ";") {
		n, err := strconv.Atoi(p)
		switch {
		case p == "", err == nil && n == 0:
			s.style = Style{}
		case n == 1:
			s.style.Bold = true
		case n == 2:
			s.style.Faint = true
		case n == 22:
			s.style.Bold, s.style.Faint = false, false
		case n == 39:
			s.style.Colour = 0
		case n >= 30 && n <= 37, n >= 90 && n <= 97:
			s.style.Colour = n
		default:
			return fmt.Errorf("termsvg: SGR %q is not understood", parameters)
		}
	}
	return nil
}
