package profile

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// Diff is the unified diff of an edit. Values of secret properties are
// masked on both sides, old comments included.
func (r EditResult) Diff() string {
	diff := udiff.Unified(r.Path, r.Path, plainLines(r.Before), plainLines(r.After))
	out := strings.Split(diff, "\n")
	for i, line := range out {
		if i > 1 && line != "" && strings.IndexByte(" +-", line[0]) >= 0 {
			out[i] = line[:1] + maskLine(line[1:])
		}
	}
	return strings.Join(out, "\n")
}

// plainLines drops what would only disturb a terminal.
func plainLines(data []byte) string { return strings.ReplaceAll(string(data), "\r\n", "\n") }

// maskLine shows of a line what IsSecret lets through. What is no property,
// header or plain comment may continue a secret, so it is masked whole.
func maskLine(line string) string {
	trimmed := strings.TrimLeft(trim(line), "#; \t")
	name, value, ok := strings.Cut(line, "=")
	switch {
	case trimmed == "":
		return line
	case ok:
		key := strings.ToLower(trim(strings.TrimLeft(name, "#; \t")))
		blanks := value[:len(value)-len(strings.TrimLeft(value, " \t"))]
		return printable(name) + "=" + blanks + printable(maskValue(key, trim(value)))
	case strings.HasPrefix(trim(line), "["), trimmed != trim(line):
		return printable(line)
	}
	return Masked
}
