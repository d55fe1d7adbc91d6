package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// sink is where the children's output goes. done is called from one goroutine,
// in the order in which targets end; its error ends the run.
type sink interface {
	open(r *outcome) (*streams, error)
	done(r *outcome) error
	close() error
}

// streams are one child's.
type streams struct {
	out, errs *os.File
	// finish is called after the child's end, at least once: is all of the output
	// where it should be?
	finish func() error
}

// tapped gives a child pipes whose contents go to two writers; after is done
// when both have all.
func tapped(out, errs io.Writer, after ...func() error) (*streams, error) {
	o, err := newTap(out)
	if err != nil {
		return nil, err
	}
	e, err := newTap(errs)
	if err != nil {
		_ = o.end()
		return nil, err
	}
	finish := sync.OnceValue(func() error {
		err := errors.Join(o.end(), e.end())
		for _, f := range after {
			err = errors.Join(err, f())
		}
		return err
	})
	return &streams{out: o.in, errs: e.in, finish: finish}, nil
}

// noOutput is for runs without a command.
type noOutput struct{}

func (noOutput) open(*outcome) (*streams, error) { return &streams{}, nil }
func (noOutput) done(*outcome) error             { return nil }
func (noOutput) close() error                    { return nil }

// spooled keeps each child's output until its end.
type spooled struct{ store spoolStore }

func (s *spooled) open(r *outcome) (*streams, error) {
	r.out, r.errs = &spool{store: &s.store}, &spool{store: &s.store}
	return tapped(r.out, r.errs, r.out.settle, r.errs.settle)
}

// grouped shows each target's output in one piece under its heading.
type grouped struct {
	spooled
	out, err io.Writer
}

func (g *grouped) done(r *outcome) error {
	if r.out == nil {
		return nil
	}
	if _, err := fmt.Fprintf(g.out, "=== %s (%s)\n", r.target.label(), clean(r.target.account)); err != nil {
		return err
	}
	if err := copyLines(g.out, r.out.reader()); err != nil {
		return err
	}
	return copyLines(g.err, r.errs.reader())
}

func (g *grouped) close() error {
	g.store.close()
	return nil
}

// copyLines copies a text and ends its last line, so that the next heading
// stands on its own.
func copyLines(to io.Writer, from io.Reader) error {
	last := &lastByte{Writer: to, last: '\n'}
	if _, err := io.Copy(last, from); err != nil {
		return err
	}
	if last.last == '\n' {
		return nil
	}
	_, err := io.WriteString(to, "\n")
	return err
}

type lastByte struct {
	io.Writer
	last byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.last = p[len(p)-1]
	}
	return l.Writer.Write(p)
}

// record is one line of --format jsonl and of a journal, a documented shape.
type record struct {
	Profile  string  `json:"profile"`
	Account  string  `json:"account"`
	Region   string  `json:"region"`
	ARN      string  `json:"arn"`
	ExitCode int     `json:"exit_code"`
	Seconds  float64 `json:"seconds"`
	Stdout   string  `json:"stdout"`
	Stderr   string  `json:"stderr"`
	Error    string  `json:"error"`
}

// newRecord reads the outcome's output; bytes that are no UTF-8 become U+FFFD.
func newRecord(r *outcome) (record, error) {
	rec := record{
		Profile: r.target.profile, Account: r.target.account, Region: r.region, ARN: r.arn,
		ExitCode: r.code, Seconds: float64(int(r.seconds*1000)) / 1000,
	}
	if r.err != nil {
		rec.Error = r.err.Error()
	}
	var err error
	if rec.Stdout, err = r.out.read(); err == nil {
		rec.Stderr, err = r.errs.read()
	}
	return rec, err
}

func (s *spool) read() (string, error) {
	var b strings.Builder
	b.Grow(s.size())
	_, err := io.Copy(&b, s.reader())
	return b.String(), err
}

// line is the record as a line of JSON.
func (rec record) line() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(rec)
	return b.Bytes(), err
}

// inOrder writes a record per target, in the order of the targets: one that is
// done early waits for those before it.
type inOrder struct {
	spooled
	out     io.Writer
	next    int
	waiting map[int]*outcome
}

func (s *inOrder) done(r *outcome) error {
	s.waiting[r.index] = r
	for {
		r, ok := s.waiting[s.next]
		if !ok {
			return nil
		}
		delete(s.waiting, s.next)
		s.next++
		if err := s.write(r); err != nil {
			return err
		}
	}
}

func (s *inOrder) write(r *outcome) error {
	defer r.close()
	rec, err := newRecord(r)
	if err != nil {
		return err
	}
	line, err := rec.line()
	if err != nil {
		return err
	}
	_, err = s.out.Write(line)
	return err
}

// close writes what waited for a target that was never begun.
func (s *inOrder) close() error {
	defer s.store.close()
	for _, r := range sortedPairs(s.waiting) {
		if err := s.write(r); err != nil {
			return err
		}
	}
	return nil
}

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
	prefix := "[" + r.target.label() + "] "
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
	for n := len(text) - 1; n > len(text)-utf8.UTFMax; n-- {
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

// streamed lets the children write to our own streams as they like.
type streamed struct{ noOutput }

func (streamed) open(*outcome) (*streams, error) {
	return &streams{out: os.Stdout, errs: os.Stderr, finish: func() error { return nil }}, nil
}

// inFolder gives each target files of its own.
type inFolder struct {
	noOutput
	dir   string
	names []string // by the target's index
}

func newInFolder(dir string, list []target) (*inFolder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the output folder: %w", err)
	}
	s := &inFolder{dir: dir}
	used := map[string]bool{}
	for _, t := range list {
		name := fileName(t)
		for used[strings.ToLower(name)] { // some file systems know no case
			name += "~"
		}
		used[strings.ToLower(name)] = true
		s.names = append(s.names, name)
	}
	return s, nil
}

func (s *inFolder) open(r *outcome) (*streams, error) {
	name := filepath.Join(s.dir, s.names[r.index])
	out, err := openOutput(name + ".out")
	if err != nil {
		return nil, err
	}
	errs, err := openOutput(name + ".err")
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	st, err := tapped(out, errs, out.Close, errs.Close)
	if err != nil {
		_, _ = out.Close(), errs.Close()
	}
	return st, err
}

func openOutput(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the output file: %w", err)
	}
	return f, nil
}

// fileName makes a target's name one part of a path: what could lead elsewhere
// or hide is written as its bytes, so that no two targets share a file.
func fileName(t target) string {
	name := t.profile
	if t.region != "" {
		name += "." + t.region
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_@+=,", c) >= 0, c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
