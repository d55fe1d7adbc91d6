package each

import (
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"crossrole/internal/word"
)

// Output is where what the commands print goes.
type Output string

// The kinds of output, beside dir=DIR.
const (
	// Grouped shows each target's in one piece under its heading.
	Grouped Output = "grouped"
	// Prefix shows each line at once behind its target's name.
	Prefix Output = "prefix"
	// Stream lets the commands write to our own streams.
	Stream Output = "stream"
	// Records is a Record a target, in the order of the targets.
	Records Output = "jsonl"
)

// folder is the DIR of dir=DIR.
func (o Output) folder() (dir string, ok bool) {
	dir, ok = strings.CutPrefix(string(o), "dir=")
	return dir, ok && dir != ""
}

// ParseOutput reads grouped, prefix, stream, or dir=DIR for files of each
// target's own in a folder. Its error is a *UsageError.
func ParseOutput(text string) (Output, error) {
	o := Output(text)
	if _, ok := o.folder(); !ok && o != Grouped && o != Prefix && o != Stream {
		return "", &UsageError{Why: "unknown --output " + strconv.Quote(text), Advice: []string{"it is one of grouped, prefix, stream, dir=DIR"}}
	}
	return o, nil
}

func (o *Options) newSink(list []Target) (sink, error) {
	dir, isFolder := o.Output.folder()
	switch {
	case o.Output == Records:
		return &inOrder{out: o.Out, waiting: map[int]*outcome{}}, nil
	case len(o.Command) == 0:
		return noOutput{}, nil
	case o.Output == Prefix:
		return &prefixed{out: o.Out, err: o.Err}, nil
	case o.Output == Stream:
		return streamed{out: o.Own.Out, err: o.Own.Err}, nil
	case isFolder:
		return newInFolder(dir, list)
	}
	return &grouped{out: o.Out, err: o.Err}, nil
}

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
	if _, err := io.WriteString(g.out, heading(r.target)); err != nil {
		return err
	}
	if err := copyLines(g.out, r.out.reader()); err != nil {
		return err
	}
	return copyLines(g.err, r.errs.reader())
}

// heading has the account where it is known: a user's keys don't tell theirs.
func heading(t Target) string {
	if t.Account == "" {
		return "=== " + t.Label() + "\n"
	}
	return "=== " + t.Label() + " (" + word.Clean(t.Account) + ")\n"
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

// inOrder writes a record per target, in the order of the targets: one that is
// done early waits for those before it.
type inOrder struct {
	spooled
	out     io.Writer
	next    int
	waiting map[int]*outcome
	records recorder
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
	_, err := s.records.write(s.out, r)
	return err
}

// close writes what waited for a target that was never begun.
func (s *inOrder) close() error {
	defer s.store.close()
	for _, i := range slices.Sorted(maps.Keys(s.waiting)) {
		if err := s.write(s.waiting[i]); err != nil {
			return err
		}
	}
	return nil
}

// streamed lets the children write to our own streams as they like.
type streamed struct {
	noOutput
	out, err *os.File
}

func (s streamed) open(*outcome) (*streams, error) {
	return &streams{out: s.out, errs: s.err, finish: func() error { return nil }}, nil
}
