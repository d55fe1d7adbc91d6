package policy

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what is read as one JSON text. IAM's own limits are far below; these only keep hostile input from costing
// more memory or stack than it is worth.
const (
	maxJSONBytes = 16 << 20
	maxJSONDepth = 64
	maxJSONNodes = 1 << 19
)

const byteOrderMark = "\xef\xbb\xbf"

// Pos is a place in a text: line and column count from 1, the column in characters. The zero Pos is "nowhere".
type Pos struct {
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// SyntaxError says that a text is not the JSON that was expected, and where.
type SyntaxError struct {
	File string // as given to the reader; may be empty
	Pos  Pos
	Msg  string
}

// Error names the place and the fault in one line.
func (e *SyntaxError) Error() string {
	return place(e.File, e.Pos) + ": " + e.Msg
}

// place renders file:line:column; hostile file names are quoted.
func place(file string, pos Pos) string {
	name := file
	if name == "" {
		name = "policy"
	}
	if pos.Line == 0 {
		return Printable(name)
	}
	return fmt.Sprintf("%s:%d:%d", Printable(name), pos.Line, pos.Column)
}

// Printable quotes a name that holds anything a terminal could act on (control characters, escapes, text direction) and
// leaves every other as it stands. The policy and statement names of a [Result] are as they were written: pass them through
// here before a person sees them.
func Printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeList
	nodeObject
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// node is one JSON value with its place. text holds the decoded string, or the literal of a number or boolean.
type node struct {
	kind    nodeKind
	pos     Pos
	text    string
	items   []node
	members []member
	start   int
	end     int
}

type member struct {
	key string
	pos Pos
	val node
}

// scalar tells whether the node is a string, number or boolean: what IAM accepts as a condition value.
func (n *node) scalar() bool {
	return n.kind == nodeString || n.kind == nodeNumber || n.kind == nodeBool
}

type jsonReader struct {
	file  string
	data  []byte
	off   int
	nodes int
	// The place of data[at]; it only moves forward, so that places cost linear time together.
	at, line, column int
}

// parseJSON reads one JSON value and nothing after it. A UTF-8 byte order mark in front is passed over.
func parseJSON(data []byte, file string) (*node, error) {
	r := &jsonReader{file: file, data: bytes.TrimPrefix(data, []byte(byteOrderMark)), line: 1, column: 1}
	if len(r.data) > maxJSONBytes {
		return nil, r.fail(0, "larger than %d bytes", maxJSONBytes)
	}
	if !utf8.Valid(r.data) {
		return nil, r.fail(0, "not UTF-8 text")
	}
	r.space()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	r.space()
	if r.off < len(r.data) {
		return nil, r.fail(r.off, "text after the end of the JSON value")
	}
	return &n, nil
}

func (r *jsonReader) fail(off int, format string, args ...any) error {
	return &SyntaxError{File: r.file, Pos: r.pos(off), Msg: fmt.Sprintf(format, args...)}
}

// pos gives the place of an offset that is not before the last one asked for; earlier ones are counted anew.
func (r *jsonReader) pos(off int) Pos {
	if off < r.at {
		r.at, r.line, r.column = 0, 1, 1
	}
	for r.at < off && r.at < len(r.data) {
		c := r.data[r.at]
		r.at++
		switch {
		case c == '\n':
			r.line++
			r.column = 1
		case c&0xC0 != 0x80: // count characters, not the bytes that continue one
			r.column++
		}
	}
	return Pos{r.line, r.column}
}

func (r *jsonReader) space() {
	for r.off < len(r.data) {
		switch r.data[r.off] {
		case ' ', '\t', '\r', '\n':
			r.off++
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.off < len(r.data) {
		return r.data[r.off]
	}
	return 0
}

func (r *jsonReader) value(depth int) (node, error) {
	if depth > maxJSONDepth {
		return node{}, r.fail(r.off, "nested deeper than %d levels", maxJSONDepth)
	}
	if r.nodes++; r.nodes > maxJSONNodes {
		return node{}, r.fail(r.off, "more than %d values", maxJSONNodes)
	}
	n := node{pos: r.pos(r.off), start: r.off}
	var err error
	switch c := r.peek(); {
	case r.off >= len(r.data):
		return n, r.fail(r.off, "the text ends where a value was expected")
	case c == '{':
		n.kind = nodeObject
		n.members, err = r.object(depth)
	case c == '[':
		n.kind = nodeList
		n.items, err = r.list(depth)
	case c == '"':
		n.kind = nodeString
		n.text, err = r.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = nodeNumber
		n.text, err = r.number()
	default:
		n.kind, n.text, err = r.word()
	}
	n.end = r.off
	return n, err
}

func (r *jsonReader) object(depth int) ([]member, error) {
	r.off++
	var members []member
	for r.space(); r.peek() != '}'; r.space() {
		if len(members) > 0 {
			if err := r.comma('}'); err != nil {
				return nil, err
			}
		}
		m := member{pos: r.pos(r.off)}
		if r.peek() != '"' {
			return nil, r.fail(r.off, "expected a name in double quotes")
		}
		var err error
		if m.key, err = r.str(); err != nil {
			return nil, err
		}
		if r.space(); r.peek() != ':' {
			return nil, r.fail(r.off, "expected ':' after the name %q", m.key)
		}
		r.off++
		r.space()
		if m.val, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	r.off++
	return members, nil
}

func (r *jsonReader) list(depth int) ([]node, error) {
	r.off++
	var items []node
	for r.space(); r.peek() != ']'; r.space() {
		if len(items) > 0 {
			if err := r.comma(']'); err != nil {
				return nil, err
			}
		}
		n, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	r.off++
	return items, nil
}

// comma passes the comma between two elements, and refuses one before the closing bracket.
func (r *jsonReader) comma(closing byte) error {
	if r.off >= len(r.data) {
		return r.fail(r.off, "the text ends before the closing '%c'", closing)
	}
	if r.peek() != ',' {
		return r.fail(r.off, "expected ',' or '%c'", closing)
	}
	r.off++
	if r.space(); r.peek() == closing {
		return r.fail(r.off, "a comma before the closing '%c'", closing)
	}
	return nil
}

func (r *jsonReader) word() (nodeKind, string, error) {
	for _, w := range []struct {
		text string
		kind nodeKind
	}{{"true", nodeBool}, {"false", nodeBool}, {"null", nodeNull}} {
		if bytes.HasPrefix(r.data[r.off:], []byte(w.text)) {
			r.off += len(w.text)
			return w.kind, w.text, nil
		}
	}
	c, _ := utf8.DecodeRune(r.data[r.off:])
	return nodeNull, "", r.fail(r.off, "unexpected %q where a value was expected", c)
}

func (r *jsonReader) number() (string, error) {
	start := r.off
	for r.off < len(r.data) && strings.IndexByte("+-0123456789.eE", r.data[r.off]) >= 0 {
		r.off++
	}
	text := string(r.data[start:r.off])
	if !isJSONNumber(text) {
		return "", r.fail(start, "%.40q is not a JSON number", text)
	}
	return text, nil
}

// isJSONNumber holds a number to JSON's grammar: -?int frac? exp?
func isJSONNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' {
		return false
	}
	if !digits() {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = strings.TrimLeft(s[1:], "+-")
		return digits() && s == ""
	}
	return s == ""
}

func (r *jsonReader) str() (string, error) {
	start := r.off
	r.off++
	from := r.off
	for r.off < len(r.data) {
		switch c := r.data[r.off]; {
		case c == '"':
			s := string(r.data[from:r.off])
			r.off++
			return s, nil
		case c == '\\':
			return r.escaped(start, from)
		case c < ' ':
			return "", r.fail(r.off, "a control character inside a string")
		}
		r.off++
	}
	return "", r.fail(start, "a string without its closing quote")
}

// escaped finishes a string that has at least one backslash.
func (r *jsonReader) escaped(start, from int) (string, error) {
	var b strings.Builder
	b.Write(r.data[from:r.off])
	for r.off < len(r.data) {
		c := r.data[r.off]
		r.off++
		switch {
		case c == '"':
			return b.String(), nil
		case c < ' ':
			return "", r.fail(r.off-1, "a control character inside a string")
		case c != '\\':
			b.WriteByte(c)
		default:
			if err := r.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return "", r.fail(start, "a string without its closing quote")
}

func (r *jsonReader) escape(b *strings.Builder) error {
	c := r.peek()
	r.off++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		return nil
	}
	if c != 'u' {
		return r.fail(min(r.off-1, len(r.data)), "an unknown escape in a string")
	}
	u, err := r.hex4()
	if err != nil {
		return err
	}
	if utf16.IsSurrogate(u) {
		u = r.lowSurrogate(u)
	}
	b.WriteRune(u)
	return nil
}

// lowSurrogate joins the second half of a pair; a lone half becomes the replacement character.
func (r *jsonReader) lowSurrogate(high rune) rune {
	if !bytes.HasPrefix(r.data[r.off:], []byte(`\u`)) {
		return utf8.RuneError
	}
	mark := r.off
	r.off += 2
	low, err := r.hex4()
	if both := utf16.DecodeRune(high, low); err == nil && both != utf8.RuneError {
		return both
	}
	r.off = mark
	return utf8.RuneError
}

func (r *jsonReader) hex4() (rune, error) {
	if r.off+4 > len(r.data) {
		return 0, r.fail(len(r.data), "an unfinished \\u escape")
	}
	v, err := strconv.ParseUint(string(r.data[r.off:r.off+4]), 16, 16)
	if err != nil {
		return 0, r.fail(r.off, "a \\u escape needs four hexadecimal digits")
	}
	r.off += 4
	return rune(v), nil
}
