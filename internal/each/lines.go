package each

import (
	"bufio"
	"errors"
)

// longestString is how much is kept of a string in a line of JSON: names are
// shorter, and what a command printed is not read again.
const longestString = 64 << 10

// lineReader reads lines of JSON, of any length, into memory that is used again.
// What is too long in a string is left out.
type lineReader struct {
	in   *bufio.Reader
	line []byte

	inString bool
	length   int  // of the string so far
	escape   int  // bytes that belong to an escape that has begun
	whole    bool // that escape is kept
}

// next gives a line, and how long it is in the file.
func (l *lineReader) next() (line []byte, size int64, err error) {
	l.line, l.inString, l.escape = l.line[:0], false, 0
	for {
		more, err := l.in.ReadSlice('\n')
		size += int64(len(more))
		for _, c := range more {
			if l.wants(c) {
				l.line = append(l.line, c)
			}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.line, size, err
		}
	}
}

// wants tells whether a byte of the line is kept. An escape is kept as a whole or
// not at all.
func (l *lineReader) wants(c byte) bool {
	if !l.inString {
		l.inString, l.length = c == '"', 0
		return true
	}
	l.length++
	switch {
	case l.escape == 1 && c == 'u':
		l.escape = 4
		return l.whole
	case l.escape > 0:
		l.escape--
		return l.whole
	case c == '"':
		l.inString = false
		return true
	case c == '\\':
		l.escape, l.whole = 1, l.length <= longestString
	}
	return l.length <= longestString
}
