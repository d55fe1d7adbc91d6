package profile

import "errors"

// ProblemKind names what Problems finds. The texts are part of the JSON that
// commands print.
type ProblemKind string

// The kinds of problem.
const (
	ProblemSyntax           ProblemKind = "syntax"            // a section cannot be read
	ProblemDuplicateSection ProblemKind = "duplicate_section" // the AWS CLI stops at it
	ProblemDuplicateKey     ProblemKind = "duplicate_key"     // the AWS CLI stops at it
	ProblemDefaultSection   ProblemKind = "default_inherited" // [DEFAULT]
	ProblemTwoDefaults      ProblemKind = "two_defaults"      // [default] and [profile default]
	ProblemComment          ProblemKind = "comment_in_value"  // the AWS CLI keeps it in the value
	ProblemByteOrderMark    ProblemKind = "byte_order_mark"   // the AWS CLI does not find the first section
	ProblemQuotedName       ProblemKind = "quoted_name"       // the SDKs ignore the section
	ProblemOtherName        ProblemKind = "other_name"        // the AWS CLI reads the header as another name
	ProblemIgnoredSection   ProblemKind = "ignored_section"   // nobody reads it
	ProblemDroppedKey       ProblemKind = "dropped_key"       // its name is none
	ProblemMixedKeys        ProblemKind = "mixed_keys"        // static keys in both files
)

// Problem is something in a file that readers disagree about, or that
// somebody did not mean.
type Problem struct {
	Kind    ProblemKind
	Profile string // the profile it belongs to, if it belongs to one
	Origin  Origin
	Also    Origin // the other line, of duplicates
	Text    string
	Err     error // what stops a chain that needs this section, or nil
}

// String is the problem as one line.
func (p Problem) String() string { return p.Origin.quoted() + ": " + p.Text }

// Problems reads all sections and reports what is wrong with them, in the
// order of the lines. With names it keeps to what is about these profiles.
func (s *Set) Problems(names ...string) []Problem {
	if len(names) == 0 {
		s.Preload()
	}
	defer s.lock()()
	ix := s.indexed()
	f := finder{set: s, index: ix, names: make(map[string]bool, len(names)), seen: map[string]int{}}
	for _, name := range names {
		f.names[name] = true
	}
	for _, d := range []*document{s.config, s.credentials} {
		f.document(d)
	}
	f.mixedKeys()
	return f.found
}

type finder struct {
	set   *Set
	index *index
	names map[string]bool
	seen  map[string]int // the line of each key of a section
	found []Problem
}

func (f *finder) wants(name string) bool {
	return len(f.names) == 0 || f.names[name]
}

func (f *finder) add(p Problem) {
	f.found = append(f.found, p)
}

func (f *finder) document(d *document) {
	if d.bom {
		f.add(Problem{
			Kind: ProblemByteOrderMark, Origin: d.origin(1),
			Text: "the file begins with a byte order mark, with which the AWS CLI does not find the first section",
		})
	}
	if err := d.preambleError(); err != nil {
		f.addError("", err)
	}
	for i := range d.starts {
		f.section(d, i)
	}
}

func (f *finder) addError(profile string, err error) {
	p := Problem{Kind: ProblemSyntax, Profile: profile, Text: err.Error(), Err: err}
	if e, ok := errors.AsType[*SyntaxError](err); ok {
		p.Origin, p.Text = e.Origin, e.Problem
		if e.Section != "" {
			p.Text = "section [" + printable(e.Section) + "]: " + e.Problem
		}
	}
	f.add(p)
}

func (f *finder) section(d *document, number int) {
	h := f.index.heads[d][number]
	name := ""
	if h.kind == kindProfile || h.kind == kindBareDefault {
		name = h.name
	}
	if !f.wants(name) && (h.kind != kindInherited) {
		return
	}
	f.header(d, number, h, name)
	if h.kind == kindNone || h.kind == kindBroken {
		return
	}
	sec := f.set.readSection(d, number)
	if sec.err != nil {
		f.addError(name, sec.err)
		return
	}
	f.keys(d, number, name)
}

func (f *finder) header(d *document, number int, h header, name string) {
	at := d.origin(f.index.lines[d][number])
	switch h.kind {
	case kindBroken:
		if err := d.headerError(number); len(f.names) == 0 {
			f.addError(name, err)
		}
	case kindNone:
		if len(f.names) == 0 {
			f.add(Problem{Kind: ProblemIgnoredSection, Origin: at, Text: bracketed(h) + ": " + h.reason})
		}
	case kindInherited:
		f.add(Problem{
			Kind: ProblemDefaultSection, Origin: at,
			Text: "in the AWS CLI every profile of the file inherits the properties of [DEFAULT]; elsewhere it is nothing",
		})
	default:
		f.name(d, number, h, name, at)
	}
}

func bracketed(h header) string { return "[" + printable(h.text) + "]" }

func (f *finder) name(d *document, number int, h header, name string, at Origin) {
	if same := f.index.first[indexKey{d, h.kind, h.name}]; same != number {
		first := d.origin(f.index.lines[d][same])
		readers := ": the AWS CLI stops here, and this program lets the later lines win"
		if f.index.heads[d][same].spelling != h.spelling {
			readers = ", spelt otherwise: the AWS CLI reads the last one alone, and this program stops"
		}
		f.add(Problem{
			Kind: ProblemDuplicateSection, Profile: name, Origin: at, Also: first,
			Text: bracketed(h) + " is also at " + first.quoted() + readers,
		})
	}
	if h.kind == kindBareDefault {
		if full, ok := f.index.first[indexKey{d, kindProfile, defaultName}]; ok {
			other := d.origin(f.index.lines[d][full])
			f.add(Problem{
				Kind: ProblemTwoDefaults, Profile: name, Origin: at, Also: other,
				Text: "[default] is not read, because [profile default] is at " + other.quoted(),
			})
		}
	}
	if h.unlike {
		f.add(Problem{
			Kind: ProblemOtherName, Profile: name, Origin: at,
			Text: bracketed(h) + ": the AWS CLI takes blanks within the brackets, and all up to the last ] of the line, for a part of the name",
		})
	}
	if d.kind == configFile && h.kind != kindBareDefault && !validName(h.name) {
		f.add(Problem{
			Kind: ProblemQuotedName, Profile: name, Origin: at,
			Text: bracketed(h) + ": the SDKs ignore a section whose name needs quotes",
		})
	}
}

// keys looks at the properties of a section, and of the earlier ones of its
// name for duplicates.
func (f *finder) keys(d *document, number int, name string) {
	clear(f.seen)
	sec := f.set.readSection(d, number)
	for i := range sec.entries {
		e := &sec.entries[i]
		at := d.origin(e.line)
		if !e.valid {
			f.add(Problem{
				Kind: ProblemDroppedKey, Profile: name, Origin: at,
				Text: "the property name " + quote(e.key) + " is not valid: it is not read",
			})
		}
		if e.commented {
			f.add(Problem{
				Kind: ProblemComment, Profile: name, Origin: at,
				Text: printable(e.key) + ": the AWS CLI takes the comment after the value for a part of it",
			})
		}
		if line, ok := f.seen[e.key]; ok {
			first := d.origin(line)
			f.add(Problem{
				Kind: ProblemDuplicateKey, Profile: name, Origin: at, Also: first,
				Text: printable(e.key) + " is also at " + first.quoted() + ": the AWS CLI stops here, and this program lets the later one win",
			})
		}
		f.seen[e.key] = e.line
	}
}

// mixedKeys names static keys that are not used because the other file has
// the profile's.
func (f *finder) mixedKeys() {
	for _, name := range f.index.names {
		if !f.wants(name) {
			continue
		}
		p, err := f.set.profile(name)
		if err != nil {
			continue
		}
		for _, v := range p.unused {
			used := p.Get(keyAccessKeyID).Origin
			f.add(Problem{
				Kind: ProblemMixedKeys, Profile: name, Origin: v.Origin, Also: used,
				Text: v.Text + " is not used: the profile's keys are at " + used.quoted(),
			})
		}
	}
}
