package profile

import (
	"bytes"
	"sync"
)

// index knows every header of both files by its name.
type index struct {
	first  map[indexKey]int   // the first header of each name
	more   map[indexKey][]int // all of them, where there are several
	broken map[indexKey]int
	names  []string // profiles in file order, those of the config file first
	seen   map[string]bool
	lines  map[*document][]int    // line of each header
	heads  map[*document][]header // each header
}

type indexKey struct {
	doc  *document
	kind sectionKind
	name string
}

// indexed builds the index once.
func (s *Set) indexed() *index {
	if s.index == nil {
		n := len(s.config.starts) + len(s.credentials.starts)
		s.index = &index{
			first: make(map[indexKey]int, n), more: map[indexKey][]int{}, broken: map[indexKey]int{},
			names: make([]string, 0, n), seen: make(map[string]bool, n),
			lines: map[*document][]int{}, heads: map[*document][]header{},
		}
		s.index.add(s.config)
		s.index.add(s.credentials)
	}
	return s.index
}

func (ix *index) add(d *document) {
	d.text = string(d.data)
	heads, numbers := make([]header, len(d.starts)), make([]int, len(d.starts))
	line, from := 1, 0
	for i, start := range d.starts {
		line += bytes.Count(d.data[from:start], []byte{'\n'})
		from = start
		heads[i], numbers[i] = d.headerAt(start), line
		ix.addHeader(d, i, heads[i])
	}
	ix.heads[d], ix.lines[d] = heads, numbers
}

func (ix *index) addHeader(d *document, number int, h header) {
	switch h.kind {
	case kindInherited:
		return
	case kindNone:
		if h.mistaken != kindNone {
			ix.broken[indexKey{d, h.mistaken, h.name}] = number
		}
		return
	case kindBroken:
		if h, ok := meantHeader(h.text, d.kind); ok {
			ix.broken[indexKey{d, h.kind, h.name}] = number
		}
		return
	case kindSSOSession, kindServices:
	case kindProfile, kindBareDefault:
		if !ix.seen[h.name] {
			ix.seen[h.name] = true
			ix.names = append(ix.names, h.name)
		}
	}
	key := indexKey{d, h.kind, h.name}
	first, again := ix.first[key]
	switch {
	case !again:
		ix.first[key] = number
	case ix.more[key] == nil:
		ix.more[key] = []int{first, number}
	default:
		ix.more[key] = append(ix.more[key], number)
	}
}

func (ix *index) find(d *document, kind sectionKind, name string) (numbers []int, broken int) {
	key := indexKey{d, kind, name}
	broken, ok := ix.broken[key]
	if !ok {
		broken = -1
	}
	if all := ix.more[key]; all != nil {
		return all, broken
	}
	if first, ok := ix.first[key]; ok {
		return []int{first}, broken
	}
	return nil, broken
}

func (s *Set) lineOf(d *document, number int) int {
	if s.index != nil {
		return s.index.lines[d][number]
	}
	return d.lineAt(d.starts[number])
}

// Names lists the profiles of both files in file order, those of the config
// file first.
func (s *Set) Names() []string {
	defer s.lock()()
	return append([]string(nil), s.indexed().names...)
}

// Match lists the names that fit the pattern, in file order: * stands for any
// text, ? for one character, and a pattern without either is the name itself.
func (s *Set) Match(pattern string) []string {
	var out []string
	for _, name := range s.Names() {
		if MatchName(pattern, name) {
			out = append(out, name)
		}
	}
	return out
}

// MatchName tells whether a pattern of Match fits a name.
func MatchName(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// Preload reads every profile at once, which is quicker than one by one when
// all of them are wanted. ini.v1, whose cost per section is several times
// that of the pre-pass, is left out: the values are the same (a test compares
// them).
func (s *Set) Preload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return
	}
	ix := s.indexed()
	for _, d := range []*document{s.config, s.credentials} {
		inParts(d.sections, func(i int, sec **section) {
			if *sec == nil {
				*sec = d.read(i, ix.lines[d][i])
			}
		})
	}
	profiles := make([]*Profile, len(ix.names))
	inParts(profiles, func(i int, p **Profile) {
		if *p = s.profiles[ix.names[i]]; *p == nil {
			*p, _ = s.merged(ix.names[i])
		}
	})
	s.profiles = make(map[string]*Profile, len(profiles))
	for _, p := range profiles {
		if p != nil { // whoever asks for a broken one gets the error anew
			s.profiles[p.Name] = p
		}
	}
	s.loaded = true
}

// inParts calls do for every item, many goroutines at once.
func inParts[T any](items []T, do func(i int, item *T)) {
	const size = 1024
	var work sync.WaitGroup
	for from := 0; from < len(items); from += size {
		work.Go(func() {
			for i := from; i < min(from+size, len(items)); i++ {
				do(i, &items[i])
			}
		})
	}
	work.Wait()
}
