package each

import (
	"bytes"
	"io"
	"sync"
	"unicode/utf8"
)

// prefixed writes each line at once, behind its target's name.
type prefixed struct {
	out, err io.Writer

	mu     sync.Mutex
	broken error
}

// maxLine bounds what is held of a line that does not end: a longer one is
// shown in pieces.
const maxLine = 64 << 10

func (p *prefixed) open(r *outcome) (*streams, error) {
	prefix := "[" + r.target.Label() + "] "
	out, errs := &liner{sink: p, to: p.out, prefix: prefix}, &liner{sink: p, to: p.err, prefix: prefix}
	return tapped(out, errs, out.end, errs.end)
}

func (p *prefixed) done(*outcome) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

func (*prefixed) close() error { return nil }

// liner puts a prefix before each line of a text that comes in pieces.
type liner struct {
	sink   *prefixed
	to     io.Writer
	prefix string
	rest   []byte
}

func (l *liner) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	var b bytes.Buffer
	for {
		i := bytes.IndexByte(l.rest, '\n')
		end := i + 1
		switch {
		case i < 0 && len(l.rest) < maxLine:
			return len(p), l.write(b.Bytes())
		case i < 0:
			end = wholeRunes(l.rest[:maxLine])
		}
		l.add(&b, l.rest[:end])
		l.rest = append(l.rest[:0], l.rest[end:]...)
	}
}

// wholeRunes is how much of a text can be shown without cutting a character.
func wholeRunes(text []byte) int {
	for n := len(text) - 1; n >= 0 && n > len(text)-utf8.UTFMax; n-- {
		if utf8.RuneStart(text[n]) {
			if utf8.FullRune(text[n:]) {
				break
			}
			return n
		}
	}
	return len(text)
}

func (l *liner) add(b *bytes.Buffer, line []byte) {
	b.WriteString(l.prefix)
	b.Write(line)
	if !bytes.HasSuffix(line, []byte("\n")) {
		b.WriteByte('\n')
	}
}

func (l *liner) write(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	if l.sink.broken == nil {
		_, l.sink.broken = l.to.Write(text)
	}
	return l.sink.broken
}

func (l *liner) end() error {
	var b bytes.Buffer
	if len(l.rest) > 0 {
		l.add(&b, l.rest)
		l.rest = nil
	}
	return l.write(b.Bytes())
}
