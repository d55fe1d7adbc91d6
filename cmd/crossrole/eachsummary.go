package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"crossrole/internal/assume"
)

// progress is the one line that a person watches: done, running, failed, time
// left. Without a terminal there is none.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar

	mu     sync.Mutex
	failed int
}

// newProgress draws on stderr, if that is a terminal that can.
func (a *app) newProgress(total int) *progress {
	if !a.errIsTerminal() || a.getenv("TERM") == "dumb" || total == 0 {
		return &progress{}
	}
	p := &progress{}
	p.container = mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(24), mpb.WithRefreshRate(150*time.Millisecond))
	p.bar = p.container.New(int64(total), mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.failures() }), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
	return p
}

func (p *progress) failures() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == 0 {
		return ""
	}
	return strconv.Itoa(p.failed) + " failed"
}

func (p *progress) add(r *outcome) {
	if r.code != exitDone {
		p.mu.Lock()
		p.failed++
		p.mu.Unlock()
	}
	if p.bar != nil {
		p.bar.Increment()
	}
}

// above gives a writer whose text appears over the line, for what a person
// reads on the same terminal.
func (p *progress) above(w io.Writer, isTerminal bool) io.Writer {
	if p.container == nil || !isTerminal {
		return w
	}
	return p.container
}

func (p *progress) close() {
	if p.container == nil {
		return
	}
	p.bar.Abort(true)
	p.container.Wait()
}

// summary counts what became of the targets, and keeps the failures by cause.
type summary struct {
	total, done int
	failed      int
	causes      []string // in the order in which they were met
	by          map[string][]*outcome
}

func newSummary(total int) *summary { return &summary{total: total, by: map[string][]*outcome{}} }

func (s *summary) add(r *outcome) {
	s.done++
	if r.code == exitDone {
		return
	}
	s.failed++
	cause := causeOf(r)
	if s.by[cause] == nil {
		s.causes = append(s.causes, cause)
	}
	s.by[cause] = append(s.by[cause], &outcome{index: r.index, target: r.target, code: r.code, err: r.err})
}

// causeOf says what went wrong without naming the target, so that failures of
// one cause stand together.
func causeOf(r *outcome) string {
	var denied *assume.DeniedError
	var call *assume.CallError
	var source *assume.SourceError
	switch {
	case r.err == nil:
		return "the command ended with exit code " + strconv.Itoa(r.code)
	case errors.As(r.err, &denied):
		return "denied " + denied.Action + " (external ID " + yesNo(denied.ExternalIDSent) + ", MFA " + yesNo(denied.MFASent) + ")"
	case errors.As(r.err, &call):
		return call.Why
	case errors.As(r.err, &source):
		return source.Error()
	default:
		return r.err.Error()
	}
}

func yesNo(yes bool) string {
	if yes {
		return "sent"
	}
	return "not sent"
}

// mostNamed is how many targets of one cause are named.
const mostNamed = 10

// write tells a person how it went: one line, and a table of what failed.
func (s *summary) write(w io.Writer, took time.Duration) {
	var b strings.Builder
	fmt.Fprintf(&b, "crossrole: %d of %d done in %s, %d failed", s.done-s.failed, s.total, took.Round(100*time.Millisecond), s.failed)
	if left := s.total - s.done; left > 0 {
		fmt.Fprintf(&b, ", %d not begun", left)
	}
	b.WriteString("\n")
	for _, cause := range s.causes {
		s.writeCause(&b, cause)
	}
	_, _ = io.WriteString(w, b.String())
}

func (s *summary) writeCause(b *strings.Builder, cause string) {
	list := s.by[cause]
	fmt.Fprintf(b, "%6d  exit %d  %s\n", len(list), list[0].code, clean(cause))
	var names []string
	for _, r := range list[:min(len(list), mostNamed)] {
		names = append(names, r.target.label())
	}
	text := strings.Join(names, ", ")
	if more := len(list) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	b.WriteString("        " + text + "\n")
	for _, hint := range s.hints(list[0]) {
		b.WriteString("        hint: " + hint + "\n")
	}
}

// hints are the advice for a cause, and for a refusal the line that explains.
func (s *summary) hints(first *outcome) []string {
	var denied *assume.DeniedError
	if errors.As(first.err, &denied) && denied.Profile != "" {
		return append(denied.Hints()[:1:1], "crossrole explain "+shellWord(denied.Profile))
	}
	return hintsOf(first.err)
}
