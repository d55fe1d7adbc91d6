package profile

import (
	"bytes"
	"sync"
)

// Set is what Load found: where the sections of both files are. Sections are
// read when somebody asks for them. A Set is safe for concurrent use.
type Set struct {
	files       Files
	env         Env
	config      *document
	credentials *document
	ids         []FileID

	mu       sync.Mutex
	sections map[sectionRef]*section
	profiles map[string]*Profile
	index    *index // built when all names are wanted
}

// sectionRef is one header of one file.
type sectionRef struct {
	doc    *document
	number int
}

// section is one section as read.
type section struct {
	header  Origin
	text    string // the header's
	entries []entry
	values  map[string]string
	err     error
}

// Load scans both files for their headers. A missing file is empty; any other
// trouble is a *FileError. Lines are not read yet, so a broken section is no
// error of Load. env is also asked later, by Resolve.
func Load(files Files, env Env) (*Set, error) {
	s := &Set{
		files: files, env: env,
		sections: map[sectionRef]*section{},
		profiles: map[string]*Profile{},
	}
	for _, f := range []struct {
		path string
		kind fileKind
		doc  **document
	}{{files.Config, configFile, &s.config}, {files.Credentials, credentialsFile, &s.credentials}} {
		data, id, err := readFile(f.path)
		if err != nil {
			return nil, err
		}
		*f.doc = newDocument(f.path, f.kind, data)
		s.ids = append(s.ids, id)
	}
	return s, nil
}

// Files are the paths that Load was given.
func (s *Set) Files() Files { return s.files }

// DependsOn gives the identity of each file at the time it was read, missing
// ones included: a chain resolved from this Set holds as long as
// IdentifyFile answers the same for each of them.
func (s *Set) DependsOn() []FileID { return append([]FileID(nil), s.ids...) }

// Profile reads one profile: its sections of both files, merged. Errors are
// *UnknownProfileError and *SyntaxError.
func (s *Set) Profile(name string) (*Profile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.profile(name)
}

func (s *Set) profile(name string) (*Profile, error) {
	if p, ok := s.profiles[name]; ok {
		return p, nil
	}
	if err := s.preambleError(); err != nil {
		return nil, err
	}
	config, credentials, err := s.sectionsOf(name)
	if err != nil {
		return nil, err
	}
	if len(config)+len(credentials) == 0 {
		return nil, s.unknown(name)
	}
	p, err := mergeProfile(name, config, credentials)
	if err != nil {
		return nil, err
	}
	s.profiles[name] = p
	return p, nil
}

// preambleError complains of properties above the first header: the AWS CLI
// stops there, and nobody can say whose they are.
func (s *Set) preambleError() error {
	for _, d := range []*document{s.config, s.credentials} {
		if err := d.preambleError(); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) preambleError() error {
	l := lines{rest: d.preamble()}
	for {
		text, ok := l.scan()
		if !ok {
			return nil
		}
		if text = trim(text); text != "" && text[0] != '#' && text[0] != ';' {
			return &SyntaxError{Origin: d.origin(l.line), Problem: "a property stands above the first section"}
		}
	}
}

// sectionsOf reads every section that defines the profile.
func (s *Set) sectionsOf(name string) (config, credentials []*section, err error) {
	config, err = s.readNamed(s.config, kindProfile, name)
	if err == nil && len(config) == 0 && name == defaultName {
		config, err = s.readNamed(s.config, kindBareDefault, name)
	}
	if err != nil {
		return nil, nil, err
	}
	credentials, err = s.readNamed(s.credentials, kindProfile, name)
	if err == nil && len(config) > 0 && !validName(name) {
		credentials, err = s.readQuoted(name)
	}
	return config, credentials, err
}

// readQuoted finds a name with blanks in the credentials file. It counts only
// as the other half of a quoted name of the config file.
func (s *Set) readQuoted(name string) ([]*section, error) {
	var found []*section
	for i, start := range s.credentials.starts {
		if h := s.credentials.headerAt(start); h.kind == kindNone && h.text == name {
			sec := s.readSection(s.credentials, i)
			if sec.err != nil {
				return nil, sec.err
			}
			found = append(found, sec)
		}
	}
	return found, nil
}

func (s *Set) readNamed(d *document, kind sectionKind, name string) ([]*section, error) {
	numbers, broken := s.find(d, kind, name)
	if broken >= 0 {
		return nil, d.headerError(broken)
	}
	found := make([]*section, 0, len(numbers))
	for _, n := range numbers {
		sec := s.readSection(d, n)
		if sec.err != nil {
			return nil, sec.err
		}
		found = append(found, sec)
	}
	return found, nil
}

func (s *Set) find(d *document, kind sectionKind, name string) (numbers []int, broken int) {
	if s.index != nil {
		return s.index.find(d, kind, name)
	}
	return d.find(kind, name)
}

func (d *document) headerError(number int) error {
	start := d.starts[number]
	h := d.headerAt(start)
	return &SyntaxError{Origin: d.origin(d.lineAt(start)), Section: h.text, Problem: h.reason}
}

// readSection reads and remembers one section.
func (s *Set) readSection(d *document, number int) *section {
	ref := sectionRef{d, number}
	if sec, ok := s.sections[ref]; ok {
		return sec
	}
	sec := d.read(number, s.lineOf(d, number))
	if sec.err == nil {
		var values []map[string]string
		if values, sec.err = parseSections([][]entry{sec.entries}); sec.err == nil {
			sec.values = values[0]
		}
	}
	s.sections[ref] = sec
	return sec
}

// read runs the pre-pass over one section whose header is on the given line.
func (d *document) read(number, line int) *section {
	h := d.headerAt(d.starts[number])
	sec := &section{header: d.origin(line), text: h.text}
	offset, end := d.body(number)
	if d.nextIsProperty(number) {
		sec.err = d.headerError(number + 1)
		return sec
	}
	sec.entries, sec.err = readBody(string(d.data[offset:end]), offset, line, func(line int, problem string) error {
		return &SyntaxError{Origin: d.origin(line), Section: h.text, Problem: problem}
	})
	return sec
}

// nextIsProperty finds an unclosed header with a delimiter in it: to the AWS
// CLI it is a property of the section before, as all lines below it are.
func (d *document) nextIsProperty(number int) bool {
	if number+1 >= len(d.starts) {
		return false
	}
	line := d.data[d.starts[number+1]:]
	if n := bytes.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	return bytes.IndexByte(line, ']') < 0 && bytes.ContainsAny(line, "=:")
}

// mergeProfile lays the sections of a profile over each other: later ones
// over earlier ones, the credentials file over the config file, and static
// keys only from one of the two files.
func mergeProfile(name string, config, credentials []*section) (*Profile, error) {
	fromConfig, fromCredentials := layer(config), layer(credentials)
	p := &Profile{Name: name, Properties: map[string]Value{}, Nested: map[string]map[string]Value{}}
	for _, sec := range append(append([]*section(nil), config...), credentials...) {
		p.Sections = append(p.Sections, sec.header)
	}
	p.keysInCredentials = fromCredentials.values[keyAccessKeyID].IsSet()
	loser := fromCredentials
	if p.keysInCredentials {
		loser = fromConfig
	}
	if p.keysInCredentials || fromConfig.values[keyAccessKeyID].IsSet() {
		p.unused = loser.dropKeys()
	}
	fromConfig.into(p)
	fromCredentials.into(p)
	return p, nil
}

// properties are the values of one file for one profile.
type properties struct {
	values map[string]Value
	nested map[string]map[string]Value
}

func layer(sections []*section) properties {
	out := properties{map[string]Value{}, map[string]map[string]Value{}}
	for _, sec := range sections {
		for _, e := range sec.entries {
			if e.valid {
				out.put(sec, e)
			}
		}
	}
	return out
}

func (p properties) put(sec *section, e entry) {
	file := sec.header.File
	p.values[e.key] = Value{Text: sec.values[e.key], Origin: Origin{File: file, Line: e.line}}
	delete(p.nested, e.key)
	if e.nested == nil {
		return
	}
	block := map[string]Value{}
	for _, n := range e.nested {
		block[n.key] = Value{Text: n.value, Origin: Origin{File: file, Line: n.line}}
	}
	p.nested[e.key] = block
}

// dropKeys takes the static credentials out of the file that doesn't provide
// them, and says which were there.
func (p properties) dropKeys() []Value {
	var dropped []Value
	for _, key := range staticKeys {
		if v, ok := p.values[key]; ok {
			dropped = append(dropped, Value{Text: key, Origin: v.Origin})
			delete(p.values, key)
		}
	}
	return dropped
}

func (p properties) into(target *Profile) {
	for key, value := range p.values {
		target.Properties[key] = value
		delete(target.Nested, key)
		if block, ok := p.nested[key]; ok {
			target.Nested[key] = block
		}
	}
}

// namedBlock reads an sso-session or services section, its lines merged.
func (s *Set) namedBlock(kind sectionKind, name string) (properties, []*section, error) {
	sections, err := s.readNamed(s.config, kind, name)
	return layer(sections), sections, err
}
