package profile

import (
	"strings"
	"unicode/utf8"
)

// entry is one property of a section as its lines say it.
type entry struct {
	key       string // lower-cased
	value     string // its lines joined with \n; of a nested block, without a first line
	line      int    // 1-based
	span      span   // the property's own line
	tail      *tail  // the lines that continue it; nil for nearly all
	valid     bool   // false: the name is none, so the property is dropped
	commented bool   // a comment was cut off the value
}

// tail is what the lines say that continue a property.
type tail struct {
	spans  []span
	nested []nestedEntry
}

// spans are the property's own line and those that continue it.
func (e *entry) spans() []span { return append([]span{e.span}, e.more()...) }

// more are the lines that continue the property.
func (e *entry) more() []span {
	if e.tail == nil {
		return nil
	}
	return e.tail.spans
}

// nested are the properties of a nested block; nil if it is none.
func (e *entry) nested() []nestedEntry {
	if e.tail == nil {
		return nil
	}
	return e.tail.nested
}

// span is one line as offsets in the file, its end included.
type span struct{ start, end int }

type nestedEntry struct {
	key, value string
	line       int
}

// lines walks the lines of a part of a file.
type lines struct {
	rest   string
	offset int // of the current line
	next   int // of the line after it
	line   int // 1-based number of the current line
}

func (l *lines) scan() (string, bool) {
	if l.rest == "" {
		return "", false
	}
	l.offset = l.next
	text := l.rest
	if n := strings.IndexByte(text, '\n'); n >= 0 {
		text = text[:n]
		l.rest = l.rest[n+1:]
		l.next += n + 1
	} else {
		l.rest = ""
		l.next += len(text)
	}
	l.line++
	return strings.TrimSuffix(text, "\r"), true
}

// reader turns the lines of one section into entries.
type reader struct {
	entries []entry
	more    []string // the lines that continue the last entry's value
	indent  indentation
	fail    func(line int, problem string) error
}

// usualEntries is how many properties a section has room for from the start.
const usualEntries = 8

// readBody reads the body of a section; line is the number of the line
// before it. Errors come from fail.
func readBody(body string, offset, line int, fail func(line int, problem string) error) ([]entry, error) {
	r := reader{fail: fail, entries: make([]entry, 0, min(strings.Count(body, "\n")+1, usualEntries))}
	l := lines{rest: body, next: offset, line: line}
	for {
		text, ok := l.scan()
		if !ok {
			r.join()
			return r.entries, nil
		}
		if err := r.line(text, l.line, span{l.offset, l.next}); err != nil {
			return nil, err
		}
	}
}

func (r *reader) line(text string, line int, at span) error {
	if strings.IndexByte(text, '\r') >= 0 {
		return r.fail(line, "a carriage return stands in the middle of a line")
	}
	trimmed := trim(text)
	if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
		return nil
	}
	if !utf8.ValidString(text) {
		return r.fail(line, "the line is not UTF-8")
	}
	if r.indent.continues(indentOf(text)) {
		return r.continued(trimmed, line, at)
	}
	return r.property(trimmed, line, at)
}

func (r *reader) property(text string, line int, at span) error {
	text, commented := cutComment(text)
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return r.fail(line, "expected a property, name = value")
	}
	key := strings.ToLower(trim(name))
	if key == "" {
		return r.fail(line, "the property has no name")
	}
	if before, _, colon := strings.Cut(key, ":"); colon && known(trim(before)) {
		return r.fail(line, "the AWS CLI takes the colon after "+trim(before)+" for the delimiter: write "+trim(before)+" = value")
	}
	r.join()
	r.entries = append(r.entries, entry{
		key: key, value: trim(value), line: line, span: at,
		valid: validKey(key), commented: commented,
	})
	return nil
}

func (r *reader) continued(text string, line int, at span) error {
	e := &r.entries[len(r.entries)-1]
	if e.tail == nil {
		e.tail = &tail{}
	}
	e.tail.spans = append(e.tail.spans, at)
	if e.value != "" && e.tail.nested == nil {
		r.more = append(r.more, text)
		return nil
	}
	name, value, ok := strings.Cut(text, "=")
	switch {
	case !e.valid:
		return nil
	case !ok:
		return r.fail(line, "expected a nested property, name = value")
	case trim(name) == "":
		return r.fail(line, "the nested property has no name")
	}
	r.more = append(r.more, text)
	e.tail.nested = append(e.tail.nested, nestedEntry{key: trim(name), value: trim(value), line: line})
	return nil
}

// join adds the continuing lines to the last value, all at once.
func (r *reader) join() {
	if len(r.more) > 0 {
		e := &r.entries[len(r.entries)-1]
		e.value += "\n" + strings.Join(r.more, "\n")
		r.more = r.more[:0]
	}
}
