package profile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Setting is one property to write.
type Setting struct{ Key, Value string }

// Edit says what to change in a section: Set replaces or adds properties, in
// this order, and Remove takes others away. What neither names stays.
type Edit struct {
	Set    []Setting
	Remove []string
}

// errUnsafe tells a name or value that a reader would not read back as it is.
var errUnsafe = errors.New("cannot be written so that every reader reads it back")

// sectionEdit is an edit and the section that it is for: what stands between
// the brackets.
type sectionEdit struct {
	section string
	edit    Edit
}

// editTexts changes many sections of a file's text in one pass, and not one byte
// elsewhere, but for a line end that the last line may lack. errs says why a
// section was left as it is; the others are written.
func editTexts(data []byte, kind fileKind, edits []sectionEdit) (out []byte, errs []error) {
	errs = make([]error, len(edits))
	for {
		out = editOnce(data, kind, edits, errs)
		if bytes.Equal(out, data) {
			return data, errs
		}
		if readBack(out, kind, edits, errs) {
			return out, errs
		}
	}
}

// manySections are worth an index of all that the file has.
const manySections = 8

// editOnce leaves out what has an error already.
func editOnce(data []byte, kind fileKind, edits []sectionEdit, errs []error) []byte {
	d := newDocument("", kind, data)
	if len(edits) > manySections {
		d.indexNames()
	}
	var changes []change
	var added []sectionEdit
	seen := map[header]bool{}
	for i, s := range edits {
		if errs[i] != nil {
			continue
		}
		more, isNew, err := d.changes(s, seen)
		if errs[i] = err; isNew {
			added = append(added, s)
		}
		changes = append(changes, more...)
	}
	out := d.apply(changes)
	for _, s := range added {
		out = appendSection(out, d.eol(), s)
	}
	if d.bom {
		out = append([]byte("\xef\xbb\xbf"), out...)
	}
	return out
}

// changes are what makes an existing section the wanted one.
func (d *document) changes(s sectionEdit, seen map[header]bool) (list []change, isNew bool, err error) {
	want, err := checkEdit(d.kind, s.section, s.edit)
	if err != nil {
		return nil, false, err
	}
	key := header{kind: want.kind, name: want.name}
	if seen[key] {
		return nil, false, fmt.Errorf("the section name %q is asked for twice", s.section)
	}
	seen[key] = true
	number, err := d.editable(want)
	if err != nil || number < 0 {
		return nil, err == nil, err
	}
	list, err = d.rewrite(number, s.edit)
	return list, false, err
}

// checkEdit refuses what would not survive the way to the file and back.
func checkEdit(kind fileKind, section string, e Edit) (header, error) {
	if strings.ContainsAny(section, "\r\n\x00[]") {
		return header{}, fmt.Errorf("the section name %q %w", section, errUnsafe)
	}
	h := parseHeader("["+section+"]", kind)
	if h.kind == kindNone || h.kind == kindBroken || h.kind == kindInherited || h.text != section {
		return header{}, fmt.Errorf("the section name %q %w", section, errUnsafe)
	}
	for _, s := range e.Set {
		if err := checkSetting(s); err != nil {
			return header{}, err
		}
	}
	return h, nil
}

// checkSetting never repeats the value, which may be a secret.
func checkSetting(s Setting) error {
	if !validKey(s.Key) || strings.ToLower(s.Key) != s.Key || strings.Contains(s.Key, ":") {
		return fmt.Errorf("the property name %q %w", s.Key, errUnsafe)
	}
	plain := utf8.ValidString(s.Value) && trim(s.Value) == s.Value &&
		!strings.ContainsFunc(s.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 })
	if _, comment := cutComment("= " + s.Value); comment || !plain {
		return fmt.Errorf("the value of %s %w", s.Key, errUnsafe)
	}
	return nil
}

// lineError is an obstacle at a line of the file.
type lineError struct {
	line    int
	problem string
}

func (e *lineError) Error() string { return e.problem }

// editable finds the section, or gives -1 for a new one. Of a section that
// is there twice nobody can say which one counts, so it is refused.
func (d *document) editable(want header) (int, error) {
	kinds := []sectionKind{want.kind}
	if d.kind == configFile && want.name == defaultName {
		kinds = []sectionKind{kindProfile, kindBareDefault}
	}
	for _, kind := range kinds {
		found, broken := d.find(kind, want.name)
		if broken >= 0 {
			return 0, &lineError{d.headLine(broken), d.headAt(broken).reason}
		}
		if len(found) > 1 {
			first, second := d.headLine(found[0]), d.headLine(found[1])
			return 0, &lineError{second, fmt.Sprintf("the section is there twice, at lines %d and %d", first, second)}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return -1, nil
}

func (d *document) headAt(number int) header { return d.headerAt(d.starts[number]) }

// eol is the line end that the file uses.
func (d *document) eol() string {
	if i := bytes.IndexByte(d.data, '\n'); i > 0 && d.data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// appendSection puts a new section at the end of a text.
func appendSection(out []byte, eol string, s sectionEdit) []byte {
	if n := len(out); n > 0 {
		if out[n-1] != '\n' {
			out = append(out, eol...)
		}
		if !bytes.HasSuffix(out, []byte("\n"+eol)) && len(out) > len(eol) {
			out = append(out, eol...)
		}
	}
	out = append(out, "["+s.section+"]"+eol...)
	for _, p := range s.edit.Set {
		out = append(out, p.Key+" = "+p.Value+eol...)
	}
	return out
}

// change replaces a part of the file.
type change struct {
	span
	text string
}

// rewrite changes the lines of an existing section.
func (d *document) rewrite(number int, e Edit) ([]change, error) {
	offset, end := d.body(number)
	line := d.headLine(number)
	entries, err := readBody(d.slice(offset, end), offset, line, func(line int, problem string) error {
		return &lineError{line, problem}
	})
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, key := range e.Remove {
		for _, old := range entries {
			if old.key == strings.ToLower(key) && !e.sets(old.key) {
				changes = append(changes, remove(old.spans())...)
			}
		}
	}
	var added strings.Builder
	for i, s := range e.Set {
		if slices.ContainsFunc(e.Set[i+1:], func(later Setting) bool { return later.Key == s.Key }) {
			continue
		}
		if more := d.replace(entries, s); more != nil {
			changes = append(changes, more...)
		} else {
			added.WriteString(s.Key + " = " + s.Value + d.eol())
		}
	}
	if added.Len() > 0 {
		changes = append(changes, d.insertion(entries, offset, added.String()))
	}
	return changes, nil
}

func (e Edit) sets(key string) bool {
	return slices.ContainsFunc(e.Set, func(s Setting) bool { return s.Key == key })
}

func remove(spans []span) []change {
	out := make([]change, len(spans))
	for i, s := range spans {
		out[i].span = s
	}
	return out
}

// replace changes the value of the first property of this name and removes
// the others. It gives nil if there is none.
func (d *document) replace(entries []entry, s Setting) []change {
	var out []change
	for _, old := range entries {
		if old.key != s.Key {
			continue
		}
		if out != nil {
			out = append(out, remove(old.spans())...)
			continue
		}
		own := change{old.span, string(d.data[old.span.start:old.span.end])}
		if old.value != s.Value {
			own.text = withValue(own.text, s.Value, d.eol())
			out = append(remove(old.more()), own)
		} else {
			out = []change{own}
		}
	}
	return out
}

// withValue keeps a line's spelling of the name, its blanks and its line end.
// A comment after the old value goes to a line of its own, because the AWS
// CLI would read it as a part of the new one.
func withValue(line, value, eol string) string {
	text := strings.TrimRight(line, "\r\n")
	end := line[len(text):]
	equals := strings.IndexByte(text, '=') + 1
	rest := text[equals:]
	blanks := rest[:len(rest)-len(strings.TrimLeft(rest, " \t"))]
	if trim(rest) == "" {
		blanks = " "
	}
	comment := ""
	if kept, cut := cutComment(text); cut {
		comment = text[len(kept):] + eol
		if trim(kept[min(equals, len(kept)):]) == "" {
			blanks = " "
		}
	}
	return comment + text[:equals] + blanks + value + end
}

// insertion adds lines after the last property, or right under the header.
func (d *document) insertion(entries []entry, at int, text string) change {
	for _, e := range entries {
		for _, s := range e.spans() {
			at = max(at, s.end)
		}
	}
	if at > 0 && d.data[at-1] != '\n' {
		text = d.eol() + text
	}
	return change{span{at, at}, text}
}

func (d *document) apply(changes []change) []byte {
	slices.SortStableFunc(changes, func(a, b change) int { return a.start - b.start })
	var out []byte
	from := 0
	for _, c := range changes {
		out = append(out, d.data[from:c.start]...)
		out = append(out, c.text...)
		from = c.end
	}
	return append(out, d.data[from:]...)
}

// readBack reads the sections as any reader will, and compares. It notes what
// would not be read back, and tells whether that is nothing.
func readBack(data []byte, kind fileKind, edits []sectionEdit, errs []error) bool {
	d := newDocument("", kind, data)
	if len(edits) > manySections {
		d.indexNames()
	}
	good := true
	for i, s := range edits {
		if errs[i] == nil {
			errs[i] = d.readBack(s)
			good = good && errs[i] == nil
		}
	}
	return good
}

func (d *document) readBack(s sectionEdit) error {
	unsafe := fmt.Errorf("the section %q %w", s.section, errUnsafe)
	h, err := checkEdit(d.kind, s.section, s.edit)
	if err != nil {
		return err
	}
	number, err := d.editable(h)
	if err != nil || number < 0 {
		return unsafe
	}
	sec := d.read(number, 0)
	if sec.err != nil {
		return unsafe
	}
	values := map[string]string{}
	for _, old := range sec.entries {
		values[old.key] = old.value
	}
	want := map[string]string{}
	for _, p := range s.edit.Set {
		want[p.Key] = p.Value
	}
	for key, value := range want {
		if got, ok := values[key]; !ok || got != value {
			return fmt.Errorf("the value of %s %w", key, errUnsafe)
		}
	}
	return nil
}
