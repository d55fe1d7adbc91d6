package termsvg

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// The picture's measures, in pixels: a cell, the space around the text, and the bar above it.
const (
	cellWidth  = 8
	cellHeight = 18
	margin     = 14
	bar        = 28
)

// palette are the colours of SGR 30 to 37. The bright ones are the same: few programs mean the difference.
var palette = [8]string{"#3b4252", "#f47067", "#6cc070", "#e0af68", "#6cb6ff", "#c792ea", "#5fc4c8", "#d8dee9"}

// SVG draws the screen. The title is what a reader hears who does not see it. Every run of cells has its place and length in
// numbers, so that columns stay columns in whatever monospaced font there is.
func (s *Screen) SVG(title string) string {
	rows := s.rows
	for len(rows) > 0 && len(rows[len(rows)-1]) == 0 {
		rows = rows[:len(rows)-1]
	}
	width, height := s.width*cellWidth+2*margin, bar+len(rows)*cellHeight+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	b.WriteString("<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:#d8dee9}.b{font-weight:bold}.f{opacity:.6}</style>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#1d2129"/>`+"\n", width, height)
	for i, colour := range []string{"#f47067", "#e0af68", "#6cc070"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="14" r="5" fill="%s"/>`, margin+6+i*16, colour)
	}
	b.WriteString("\n")
	for i, row := range rows {
		writeRow(&b, bar+(i+1)*cellHeight-5, row)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// writeRow draws the runs of cells that look alike. Where two blanks or more stand in a row a new run begins.
func writeRow(b *strings.Builder, y int, row []cell) {
	if len(row) == 0 {
		return
	}
	fmt.Fprintf(b, `<text y="%d">`, y)
	for start := 0; start < len(row); {
		if row[start].char == ' ' {
			start++
			continue
		}
		end := start + 1
		for end < len(row) && row[end].style == row[start].style && (row[end].char != ' ' || end+1 < len(row) && row[end+1].char != ' ') {
			end++
		}
		writeRun(b, start, row[start:end])
		start = end
	}
	b.WriteString("</text>\n")
}

func writeRun(b *strings.Builder, column int, run []cell) {
	var text strings.Builder
	for _, c := range run {
		text.WriteRune(c.char)
	}
	fmt.Fprintf(b, `<tspan x="%d" textLength="%d"%s>%s</tspan>`, margin+column*cellWidth, len(run)*cellWidth, look(run[0].style), html.EscapeString(text.String()))
}

func look(s Style) string {
	var classes []string
	if s.Bold {
		classes = append(classes, "b")
	}
	if s.Faint {
		classes = append(classes, "f")
	}
	out := ""
	if len(classes) > 0 {
		out = ` class="` + strings.Join(classes, " ") + `"`
	}
	if s.Colour != 0 {
		// CSS beats presentation attributes: the rule for text is not for its parts, so an attribute of a part stands.
		out += ` fill="` + palette[s.Colour%10] + `"`
	}
	return out
}

// Lines are the rows as plain text, for tests of a session.
func (s *Screen) Lines() []string {
	out := make([]string, 0, len(s.rows))
	for _, row := range s.rows {
		var b strings.Builder
		for _, c := range row {
			b.WriteRune(c.char)
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return slices.Clip(out)
}
