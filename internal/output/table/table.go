// Package table writes tables for people: aligned by what a terminal shows,
// within its width, and with no text that the terminal would act on.
package table

import (
	"strings"

	"github.com/clipperhouse/displaywidth"

	"crossrole/internal/word"
)

// Column is one column of a table.
type Column struct {
	Title string
	// Shrink lets the cells be cut, with an ellipsis, on a narrow terminal. The
	// cells of other columns always stay whole.
	Shrink bool
	// Loose is for a last column of long texts, such as errors: its cells are
	// never cut and don't count; a terminal wraps them.
	Loose bool
}

const (
	gap      = "  "
	ellipsis = "…"
	// shrunk is the least width of a column that may be cut, in terminal cells.
	shrunk = 8
)

// Render writes a title line and the rows, each ended by a newline; a row that
// is too short has empty cells. width is that of the terminal in cells, and 0
// means that nobody looks: a file or a pipe gets whole cells. Where the columns
// don't fit however they are cut, each row becomes lines of "title  cell", with
// an empty line between rows: then nothing is cut.
func Render(columns []Column, rows [][]string, width int) string {
	grid := make([][]string, 0, len(rows)+1)
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = word.Spell(c.Title)
	}
	grid = append(grid, titles)
	for _, row := range rows {
		grid = append(grid, cells(row, len(columns)))
	}
	widths := widthsOf(grid, len(columns))
	for i, c := range columns {
		if c.Loose {
			widths[i] = widthOf(titles[i])
		}
	}
	if width > 0 && !fit(columns, widths, width) {
		return stacked(grid)
	}
	line := 1
	for _, w := range widths {
		line += w + len(gap)
	}
	var b strings.Builder
	b.Grow(line * len(grid))
	for _, row := range grid {
		writeRow(&b, columns, row, widths)
	}
	return b.String()
}

func cells(row []string, count int) []string {
	out := make([]string, count)
	for i := range min(count, len(row)) {
		out[i] = word.Spell(row[i])
	}
	return out
}

func widthsOf(grid [][]string, count int) []int {
	widths := make([]int, count)
	for _, row := range grid {
		for i, cell := range row {
			widths[i] = max(widths[i], widthOf(cell))
		}
	}
	return widths
}

// fit narrows the widest column that may be cut until all is within width, and
// tells whether that worked.
func fit(columns []Column, widths []int, width int) bool {
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := -1
		for i, c := range columns {
			if c.Shrink && widths[i] > shrunk && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
	return true
}

// writeRow pads a cell only when another one follows: no line ends in blanks.
func writeRow(b *strings.Builder, columns []Column, row []string, widths []int) {
	pad := 0
	for i, cell := range row {
		wide := widthOf(cell)
		if !columns[i].Loose && wide > widths[i] {
			cell = displaywidth.TruncateString(cell, widths[i], ellipsis)
			wide = widthOf(cell)
		}
		if kept := strings.TrimRight(cell, " "); kept != "" {
			writeBlanks(b, pad)
			b.WriteString(kept)
			pad = wide - widthOf(kept)
		} else {
			pad += wide
		}
		pad += max(0, widths[i]-wide) + len(gap)
	}
	b.WriteByte('\n')
}

func writeBlanks(b *strings.Builder, count int) {
	for range count {
		b.WriteByte(' ')
	}
}

// widthOf is how many cells of a terminal the text takes. ASCII that prints,
// which is nearly all there is, takes one each.
func widthOf(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return displaywidth.String(text)
		}
	}
	return len(text)
}

func stacked(grid [][]string) string {
	titles := grid[0]
	widest := widthsOf([][]string{titles}, len(titles))
	pad := 0
	for _, w := range widest {
		pad = max(pad, w)
	}
	var b strings.Builder
	for n, row := range grid[1:] {
		if n > 0 {
			b.WriteByte('\n')
		}
		for i, cell := range row {
			if cell != "" {
				b.WriteString(titles[i] + strings.Repeat(" ", pad-widest[i]) + gap + cell + "\n")
			}
		}
	}
	return b.String()
}
