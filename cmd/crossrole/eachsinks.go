package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// sink is where the children's output goes. done is called from one goroutine,
// in the order in which targets end.
type sink interface {
	open(r *outcome) (*streams, error)
	done(r *outcome) error
	close() error
}

// streams are one child's.
type streams struct {
	in, out, errs *os.File
	finish        func() error // after the child's end: is all of it there?
	close         func()
}

// noOutput is for runs without a command.
type noOutput struct{}

func (noOutput) open(*outcome) (*streams, error) { return &streams{}, nil }
func (noOutput) done(*outcome) error             { return nil }
func (noOutput) close() error                    { return nil }

// spooled keeps each child's output until its end.
type spooled struct{ dir string }

func (s spooled) open(r *outcome) (*streams, error) {
	var err error
	if r.out, err = newSpool(s.dir); err != nil {
		return nil, err
	}
	if r.errs, err = newSpool(s.dir); err != nil {
		r.out.close()
		return nil, err
	}
	finish := func() error {
		if err := r.out.settle(); err != nil {
			return err
		}
		return r.errs.settle()
	}
	return &streams{out: r.out.file, errs: r.errs.file, finish: finish, close: func() {}}, nil
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
	if _, err := fmt.Fprintf(g.out, "=== %s (%s)\n", r.target.label(), r.target.account); err != nil {
		return err
	}
	if _, err := io.Copy(g.out, r.out.reader()); err != nil {
		return err
	}
	_, err := io.Copy(g.err, r.errs.reader())
	return err
}

func (g *grouped) close() error { return nil }

// record is one line of --format jsonl, a documented shape.
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
	out, err := io.ReadAll(r.out.reader())
	if err != nil {
		return record{}, err
	}
	errs, err := io.ReadAll(r.errs.reader())
	rec := record{Profile: r.target.profile, Account: r.target.account, Region: r.region, ARN: r.arn,
		ExitCode: r.code, Seconds: float64(int(r.seconds*1000)) / 1000, Stdout: string(out), Stderr: string(errs)}
	if r.region == "" {
		rec.Region = r.target.region
	}
	if r.err != nil {
		rec.Error = r.err.Error()
	}
	return rec, err
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
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(rec)
}

// close writes what waited for a target that was never begun.
func (s *inOrder) close() error {
	for _, r := range sortedPairs(s.waiting) {
		if err := s.write(r); err != nil {
			return err
		}
	}
	return nil
}

// prefixed writes each line at once, behind its target's name.
type prefixed struct {
	mu       sync.Mutex
	out, err io.Writer
}

// maxLine bounds what is held of a line that does not end.
const maxLine = 64 << 10

func (p *prefixed) open(r *outcome) (*streams, error) {
	var readers sync.WaitGroup
	var failed error
	begin := func(to io.Writer) (*os.File, error) {
		from, in, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		readers.Go(func() {
			defer from.Close()
			if err := p.copy(to, from, "["+r.target.label()+"] "); err != nil {
				p.mu.Lock()
				failed = err
				p.mu.Unlock()
			}
		})
		return in, nil
	}
	out, err := begin(p.out)
	if err != nil {
		return nil, err
	}
	errs, err := begin(p.err)
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	var once sync.Once
	end := func() {
		once.Do(func() {
			_, _ = out.Close(), errs.Close()
			readers.Wait()
		})
	}
	return &streams{out: out, errs: errs, close: end, finish: func() error { end(); return failed }}, nil
}

func (p *prefixed) copy(to io.Writer, from io.Reader, prefix string) error {
	in := bufio.NewReaderSize(from, maxLine)
	var failed error
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && failed == nil {
			failed = p.line(to, prefix, line)
		}
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio returns it as it is
			return failed
		}
	}
}

func (p *prefixed) line(to io.Writer, prefix string, line []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := prefix + string(line)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	_, err := io.WriteString(to, text)
	return err
}

func (*prefixed) done(*outcome) error { return nil }
func (*prefixed) close() error        { return nil }

// streamed lets the children write to our own streams as they like.
type streamed struct{ noOutput }

func (streamed) open(*outcome) (*streams, error) {
	return &streams{out: os.Stdout, errs: os.Stderr, close: func() {}, finish: func() error { return nil }}, nil
}

// inFolder gives each target files of its own.
type inFolder struct {
	noOutput
	dir string
}

func (s inFolder) open(r *outcome) (*streams, error) {
	name := filepath.Join(s.dir, fileName(r.target))
	out, err := os.OpenFile(name+".out", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the output file: %w", err)
	}
	errs, err := os.OpenFile(name+".err", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("opening the output file: %w", err)
	}
	closed := sync.OnceValue(func() error {
		err := out.Sync()
		for _, f := range []*os.File{out, errs} {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}
		if err != nil {
			return fmt.Errorf("writing the output file: %w", err)
		}
		return nil
	})
	return &streams{out: out, errs: errs, finish: closed, close: func() { _ = closed() }}, nil
}

// fileName makes a target's name one part of a path: what could lead elsewhere
// or hide is escaped, so that no two targets share a file.
func fileName(t target) string {
	name := t.profile
	if t.region != "" {
		name += "." + t.region
	}
	var b strings.Builder
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_@+=,", r), r == '.' && i > 0:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "%%%X", r)
		}
	}
	return b.String()
}
