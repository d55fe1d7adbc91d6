package profile

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"crossrole/internal/disk"
)

// Set is what Load found: where the sections of both files are. Sections are
// read when somebody asks for them. A Set is safe for concurrent use.
type Set struct {
	files       Files
	env         Env
	config      *document
	credentials *document
	ids         []disk.ID

	mu       sync.RWMutex
	profiles map[string]*Profile
	index    *index // built when all names are wanted
	loaded   bool   // by Preload: from then on nothing changes, and readers share the lock
}

// lock is for whoever may read sections; it gives the function that unlocks.
func (s *Set) lock() (unlock func()) {
	s.mu.RLock()
	if s.loaded {
		return s.mu.RUnlock
	}
	s.mu.RUnlock()
	s.mu.Lock()
	return s.mu.Unlock
}

// section is one section as read.
type section struct {
	header   Origin
	text     string // the header's, as the next two
	spelling string
	unlike   bool
	entries  []entry
	values   map[string]string // by ini.v1; nil if the pre-pass was enough
	err      error
}

// value is what the section's property stands for.
func (s *section) value(e *entry) string {
	if s.values == nil {
		return e.value
	}
	return s.values[e.key]
}

// Load scans both files for their headers. A missing file is empty; any other
// trouble is a *FileError. Lines are not read yet, so a broken section is no
// error of Load. env is also asked later, by Resolve.
func Load(files Files, env Env) (*Set, error) {
	s := &Set{
		files: files, env: remembered(env),
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

// remembered asks for each variable once: a list of thousands of chains looks
// at the same ones for each. What is known is read without a lock, and replaced
// when there is more.
func remembered(env Env) Env {
	var mu sync.Mutex
	var known atomic.Pointer[map[string]string]
	known.Store(&map[string]string{})
	return func(name string) string {
		if value, ok := (*known.Load())[name]; ok {
			return value
		}
		mu.Lock()
		defer mu.Unlock()
		more := maps.Clone(*known.Load())
		more[name] = env(name)
		known.Store(&more)
		return more[name]
	}
}

// Files are the paths that Load was given.
func (s *Set) Files() Files { return s.files }

// DependsOn gives the identity of each file at the time it was read, missing
// ones included: a chain resolved from this Set holds as long as
// disk.Identify answers the same for each of them.
func (s *Set) DependsOn() []disk.ID { return append([]disk.ID(nil), s.ids...) }

// Profile reads one profile: its sections of both files, merged. Errors are
// *UnknownProfileError and *SyntaxError.
func (s *Set) Profile(name string) (*Profile, error) {
	defer s.lock()()
	return s.profile(name)
}

func (s *Set) profile(name string) (*Profile, error) {
	if p, ok := s.profiles[name]; ok {
		return p, nil
	}
	p, err := s.merged(name)
	if err == nil && !s.loaded {
		s.profiles[name] = p
	}
	return p, err
}

// merged reads a profile's sections and lays them over each other.
func (s *Set) merged(name string) (*Profile, error) {
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
	return mergeProfile(name, config, credentials), nil
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
	if err == nil {
		err = alikeForAll(append(slices.Clone(config), credentials...))
	}
	return config, credentials, err
}

// alikeForAll stops where sections make one profile here and two in the AWS
// CLI, which takes one of their headers for another name.
func alikeForAll(sections []*section) error {
	if len(sections) < 2 {
		return nil
	}
	for i, sec := range sections {
		other := sections[(i+1)%len(sections)]
		switch {
		case sec.unlike:
			return sec.misread("the AWS CLI takes the header for another name, and so does not read it together with " +
				other.header.quoted() + ": write no blanks within the brackets, and no ] after them")
		case i > 0 && sec.header.File == sections[i-1].header.File && sec.spelling != sections[i-1].spelling:
			return sec.misread("the AWS CLI reads this section alone, and not " + sections[i-1].header.quoted() +
				", whose header is spelt otherwise: make one section of the two")
		}
	}
	return nil
}

func (s *section) misread(problem string) error {
	return &SyntaxError{Origin: s.header, Section: s.text, Problem: problem}
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
	if sec := d.sections[number]; sec != nil {
		return sec
	}
	sec := d.read(number, s.lineOf(d, number))
	if sec.err == nil {
		sec.values, sec.err = parseSection(sec.entries)
	}
	d.sections[number] = sec
	return sec
}

// read runs the pre-pass over one section whose header is on the given line.
func (d *document) read(number, line int) *section {
	h := d.headerAt(d.starts[number])
	sec := &section{header: d.origin(line), text: h.text, spelling: h.spelling, unlike: h.unlike}
	offset, end := d.body(number)
	if d.nextIsProperty(number) {
		sec.err = d.headerError(number + 1)
		return sec
	}
	sec.entries, sec.err = readBody(d.slice(offset, end), offset, line, func(line int, problem string) error {
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
func mergeProfile(name string, config, credentials []*section) *Profile {
	p := &Profile{Name: name}
	for _, sections := range [][]*section{config, credentials} {
		for _, sec := range sections {
			p.Sections = append(p.Sections, sec.header)
		}
	}
	target := layer(config)
	if len(credentials) > 0 {
		p.keysInCredentials, p.unused = target.overlay(layer(credentials))
	}
	p.Properties, p.Nested = target.values, target.nested
	return p
}

// properties are the values of one file for one profile.
type properties struct {
	values map[string]Value
	nested map[string]map[string]Value // nil if there is none
}

func layer(sections []*section) properties {
	size := 0
	for _, sec := range sections {
		size += len(sec.entries)
	}
	out := properties{values: make(map[string]Value, size)}
	for _, sec := range sections {
		for i := range sec.entries {
			if e := &sec.entries[i]; e.valid {
				out.put(sec, e)
			}
		}
	}
	return out
}

func (p *properties) put(sec *section, e *entry) {
	file := sec.header.File
	p.values[e.key] = Value{Text: sec.value(e), Origin: Origin{File: file, Line: e.line}}
	delete(p.nested, e.key)
	if e.nested() == nil {
		return
	}
	block := make(map[string]Value, len(e.nested()))
	for _, n := range e.nested() {
		block[n.key] = Value{Text: n.value, Origin: Origin{File: file, Line: n.line}}
	}
	if p.nested == nil {
		p.nested = map[string]map[string]Value{}
	}
	p.nested[e.key] = block
}

// overlay lays the credentials file's properties over the config file's. The
// static keys are of the file that has the access key id: it tells what was
// dropped of the other one.
func (p *properties) overlay(credentials properties) (keysInCredentials bool, unused []Value) {
	keysInCredentials = credentials.values[keyAccessKeyID].IsSet()
	switch {
	case keysInCredentials:
		unused = p.dropKeys()
	case p.values[keyAccessKeyID].IsSet():
		unused = credentials.dropKeys()
	}
	for key, value := range credentials.values {
		p.values[key] = value
		delete(p.nested, key)
		if block, ok := credentials.nested[key]; ok {
			if p.nested == nil {
				p.nested = map[string]map[string]Value{}
			}
			p.nested[key] = block
		}
	}
	return keysInCredentials, unused
}

// dropKeys takes the static credentials out of the file that doesn't provide
// them, and says which were there.
func (p *properties) dropKeys() []Value {
	var dropped []Value
	for _, key := range staticKeys {
		if v, ok := p.values[key]; ok {
			dropped = append(dropped, Value{Text: key, Origin: v.Origin})
			delete(p.values, key)
		}
	}
	return dropped
}

// namedBlock reads an sso-session or services section, its lines merged.
func (s *Set) namedBlock(kind sectionKind, name string) (properties, []*section, error) {
	sections, err := s.readNamed(s.config, kind, name)
	if err == nil {
		err = alikeForAll(sections)
	}
	return layer(sections), sections, err
}
