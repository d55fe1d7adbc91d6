package profile

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const defaultName = "default"

// fileKind tells the two shared files apart: they name their sections
// differently.
type fileKind int

const (
	configFile fileKind = iota
	credentialsFile
)

// sectionKind is what a header defines.
type sectionKind int

const (
	kindNone        sectionKind = iota // nothing that we or the AWS CLI read
	kindProfile                        // [profile x], and any of the credentials file
	kindBareDefault                    // [default] of the config file
	kindSSOSession
	kindServices
	kindInherited // [DEFAULT]
	kindBroken    // no header can be made out
)

// document is one shared file and the places of its headers. Nothing else of
// it is looked at before somebody asks for a section.
type document struct {
	path    string
	kind    fileKind
	data    []byte // without a byte order mark
	text    string // the same, once all of it is wanted
	bom     bool
	starts  []int // offset of each header's line, ascending
	inherit []int // indices of the [DEFAULT] headers

	sections []*section    // as far as they were read, one for each header
	lines    []int         // of the headers, once headLine was asked
	named    *namedHeaders // once indexNames was called
}

func newDocument(path string, kind fileKind, data []byte) *document {
	d := &document{path: path, kind: kind}
	d.data, d.bom = bytes.CutPrefix(data, []byte("\xef\xbb\xbf"))
	d.scan()
	d.sections = make([]*section, len(d.starts))
	return d
}

// scan finds the headers: lines that begin with [, and indented ones where
// no value is there that they could continue.
func (d *document) scan() {
	c := continuation{data: d.data}
	for i := 0; ; i++ {
		n := bytes.IndexByte(d.data[i:], '[')
		if n < 0 {
			return
		}
		i += n
		line := i
		if i > 0 && d.data[i-1] != '\n' {
			if line = blanksBefore(d.data, i); line < 0 || c.continues(line, i-line) {
				continue
			}
		}
		if bytes.HasPrefix(d.data[i:], []byte("[DEFAULT]")) {
			d.inherit = append(d.inherit, len(d.starts))
		}
		d.starts = append(d.starts, line)
		c.reset(line)
	}
}

// blanksBefore gives the start of the line if only blanks stand between it
// and offset i, or -1. A lone carriage return ends a line for the AWS CLI.
func blanksBefore(data []byte, i int) int {
	for i > 0 && (data[i-1] == ' ' || data[i-1] == '\t') {
		i--
	}
	if i > 0 && data[i-1] != '\n' && data[i-1] != '\r' {
		return -1
	}
	return i
}

// continuation follows the lines of a section as far as somebody asked, to
// tell an indented line that continues a value from one that stands alone.
type continuation struct {
	data   []byte
	pos    int
	indent indentation
}

// reset starts a section whose header's line begins at pos.
func (c *continuation) reset(pos int) {
	c.pos, c.indent = pos, indentation{}
	c.next()
}

func (c *continuation) next() []byte {
	line := c.data[c.pos:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n+1]
	}
	c.pos += len(line)
	return line
}

func (c *continuation) continues(start, indent int) bool {
	for c.pos < start {
		line := string(c.next())
		if text := trim(line); text != "" && text[0] != '#' && text[0] != ';' {
			c.indent.continues(indentOf(line))
		}
	}
	return c.indent.set && indent > c.indent.level
}

// indentation is Python's rule: a line that is indented deeper than the
// property before it continues that property.
type indentation struct {
	set   bool
	level int
}

func (n *indentation) continues(level int) bool {
	if n.set && level > n.level {
		return true
	}
	n.set, n.level = true, level
	return false
}

func indentOf(line string) int {
	n := 0
	for _, r := range line {
		if !isSpace(r) {
			break
		}
		n++
	}
	return n
}

// slice is a part of the file as text.
func (d *document) slice(start, end int) string {
	if d.text != "" {
		return d.text[start:end]
	}
	return string(d.data[start:end])
}

// header is what one section's first line says.
type header struct {
	kind   sectionKind
	name   string
	text   string // between the brackets, trimmed
	reason string // why kind is kindNone or kindBroken, for a person
	// mistaken is what the AWS CLI takes a section of kindNone for.
	mistaken sectionKind
	// spelling is what Python's reader takes for the section's name: all up to the
	// line's last bracket, blanks included.
	spelling string
	// unlike tells a spelling that the AWS CLI reads as another name.
	unlike bool
}

// headerAt reads the header's line that starts at offset start.
func (d *document) headerAt(start int) header {
	end := len(d.data)
	if n := bytes.IndexByte(d.data[start:], '\n'); n >= 0 {
		end = start + n
	}
	h := parseHeader(strings.TrimSuffix(d.slice(start, end), "\r"), d.kind)
	if start > 0 && d.data[start-1] == '\r' {
		h.kind, h.reason = kindBroken, "the section's header follows a lone carriage return"
	}
	return h
}

func parseHeader(line string, kind fileKind) header {
	hidden := strings.ContainsRune(line, '\r')
	line = trim(line)[1:]
	text, rest, closed := strings.Cut(line, "]")
	text = trim(text)
	if !closed {
		return header{kind: kindBroken, text: text, reason: "the section's header has no closing ]"}
	}
	if rest = trim(rest); rest != "" && rest[0] != '#' && rest[0] != ';' {
		return header{kind: kindBroken, text: text, reason: "the section's header has text after its ]"}
	}
	if hidden || !utf8.ValidString(text) {
		return header{kind: kindBroken, text: text, reason: "the section's header is not plain UTF-8 text"}
	}
	if text == "DEFAULT" {
		return header{kind: kindInherited, name: text, text: text}
	}
	spelling := line[:strings.LastIndexByte(line, ']')]
	if kind == credentialsFile {
		h := credentialsHeader(text)
		h.spelling, h.unlike = spelling, spelling != text
		return h
	}
	h := configHeader(text)
	h.spelling, h.unlike = spelling, spelling != text
	if h.kind != kindBareDefault { // after a prefix the AWS CLI splits words, as a shell does
		h.unlike = strings.TrimRight(spelling, " \t") != text
	}
	return h
}

func credentialsHeader(text string) header {
	if validName(text) {
		return header{kind: kindProfile, name: text, text: text}
	}
	reason := "the name has a character that the SDKs don't accept"
	if word, _ := cutWord(text); prefixKind(word) != kindNone {
		reason = "sections of the credentials file have no prefix: this one is ignored"
	}
	return header{kind: kindNone, text: text, reason: reason}
}

func configHeader(text string) header {
	if text == defaultName {
		return header{kind: kindBareDefault, name: text, text: text}
	}
	word, rest := cutWord(text)
	kind := prefixKind(word)
	if kind == kindNone || rest == "" {
		return ignoredHeader(text, word, rest)
	}
	name, ok := unquoteName(rest)
	if !ok {
		return header{kind: kindNone, text: text, reason: "the name has a character that the SDKs don't accept"}
	}
	return header{kind: kind, name: name, text: text}
}

// ignoredHeader is a section that nobody reads. But the AWS CLI looks only at
// how a prefix begins, and takes [profiles x] for x: its name is kept, so that
// who asks for x hears of it.
func ignoredHeader(text, word, rest string) header {
	h := header{text: text, reason: "the section is neither a profile, an sso-session nor services: it is ignored"}
	for _, prefix := range []string{"profile", "sso-session", "services"} {
		if strings.HasPrefix(word, prefix) && rest != "" {
			h.name, _ = unquoteName(rest)
			h.mistaken = prefixKind(prefix)
			h.reason = "the AWS CLI takes the section for [" + prefix + " " + printable(rest) + "], and the SDKs ignore it"
			return h
		}
	}
	if validName(text) && prefixKind(word) == kindNone {
		h.reason = "sections of the config file need a prefix: write [profile " + text + "]"
	}
	return h
}

func prefixKind(word string) sectionKind {
	switch word {
	case "profile":
		return kindProfile
	case "sso-session":
		return kindSSOSession
	case "services":
		return kindServices
	}
	return kindNone
}

func cutWord(text string) (word, rest string) {
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return text, ""
	}
	return text[:i], trim(text[i:])
}

// unquoteName reads the name after a prefix. The AWS CLI splits it as a
// shell does, so quotes keep blanks and any other character together.
func unquoteName(text string) (string, bool) {
	if text[0] != '"' && text[0] != '\'' {
		return text, validName(text)
	}
	quoteByte, body := text[0], text[1:]
	if len(body) < 2 || body[len(body)-1] != quoteByte {
		return "", false
	}
	body = body[:len(body)-1]
	return body, isPrintable(body) && strings.IndexByte(body, quoteByte) < 0 && !strings.Contains(body, `\`)
}

// find gives the indices of the headers that define (kind, name), without
// reading the others: their first bytes rule them out. broken is the index of
// a header that seems to mean it and cannot be read, or -1.
func (d *document) find(kind sectionKind, name string) (found []int, broken int) {
	if d.named != nil {
		return d.named.find(kind, name)
	}
	broken = -1
	for i, start := range d.starts {
		if d.ruledOut(start, kind, name) {
			continue
		}
		switch h := d.headerAt(start); {
		case h.kind == kind && h.name == name:
			found = append(found, i)
		case h.mistaken == kind && h.name == name && kind != kindNone:
			broken = i
		case h.kind == kindBroken:
			if h, ok := meantHeader(h.text, d.kind); ok && h.kind == kind && h.name == name {
				broken = i
			}
		}
	}
	return found, broken
}

// meantHeader guesses what a header that cannot be read was to define.
func meantHeader(text string, file fileKind) (header, bool) {
	if strings.ContainsAny(text, "]\r\n") {
		return header{}, false
	}
	h := parseHeader("["+text+"]", file)
	return h, h.name != ""
}

// ruledOut is true for a header in the usual spelling that has another name.
func (d *document) ruledOut(start int, kind sectionKind, name string) bool {
	prefix := "["
	if d.kind == configFile {
		prefix = "[profile "
	}
	line := d.data[start:]
	if len(line) <= len(prefix) || string(line[:len(prefix)]) != prefix {
		return false
	}
	line = line[len(prefix):]
	if c := line[0]; c >= utf8.RuneSelf || c <= ' ' || c == '"' || c == '\'' {
		return false
	}
	return kind != kindProfile || len(line) < len(name) || string(line[:len(name)]) != name
}

// body gives the bytes between header i and the next one, and the offset
// where they start.
func (d *document) body(i int) (offset, end int) {
	offset, end = d.starts[i], len(d.data)
	if i+1 < len(d.starts) {
		end = d.starts[i+1]
	}
	if n := bytes.IndexByte(d.data[offset:end], '\n'); n >= 0 {
		return offset + n + 1, end
	}
	return end, end
}

// preamble is what stands above the first header.
func (d *document) preamble() string {
	if len(d.starts) == 0 {
		return string(d.data)
	}
	return string(d.data[:d.starts[0]])
}

// lineAt counts the 1-based line of an offset.
func (d *document) lineAt(offset int) int {
	return 1 + bytes.Count(d.data[:offset], []byte{'\n'})
}

// headLine is the 1-based line of header i. Asking for many costs one pass.
func (d *document) headLine(i int) int {
	if d.lines == nil {
		line, from := 1, 0
		for _, start := range d.starts {
			line += bytes.Count(d.data[from:start], []byte{'\n'})
			from = start
			d.lines = append(d.lines, line)
		}
	}
	return d.lines[i]
}

func (d *document) origin(line int) Origin { return Origin{File: d.path, Line: line} }
