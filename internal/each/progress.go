package each

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Progress is the one line that a person watches: done, running, failed, time
// left. Where nobody watches there is none. A nil Progress is none either.
type Progress struct {
	to  io.Writer // nil: nobody watches
	now func() time.Time

	counts struct {
		sync.Mutex
		start                        time.Time
		total, done, running, failed int
	}
	screen struct {
		sync.RWMutex
		container *mpb.Progress
		bar       *mpb.Bar
	}
}

// NewProgress draws a line about so many targets on a terminal; nil: nobody
// watches. now is the clock.
func NewProgress(to io.Writer, total int, now func() time.Time) *Progress {
	p := &Progress{to: to, now: now}
	p.counts.total, p.counts.start = total, now()
	if total == 0 {
		p.to = nil
	}
	p.Resume()
	return p
}

// Resume draws the line, and Pause takes it away: while a question is asked,
// the screen is the question's.
func (p *Progress) Resume() {
	if p == nil || p.to == nil {
		return
	}
	p.screen.Lock()
	defer p.screen.Unlock()
	if p.screen.container != nil {
		return
	}
	p.screen.container = mpb.New(mpb.WithOutput(p.to), mpb.WithRefreshRate(150*time.Millisecond))
	p.screen.bar = p.screen.container.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, p.text(s.AvailableWidth))
		return err
	}), mpb.BarFillerTrim(), mpb.BarRemoveOnComplete())
}

// Pause takes the line away.
func (p *Progress) Pause() {
	if p == nil {
		return
	}
	p.screen.Lock()
	defer p.screen.Unlock()
	if p.screen.container == nil {
		return
	}
	p.screen.bar.Abort(true)
	p.screen.container.Wait()
	p.screen.container, p.screen.bar = nil, nil
}

// begin counts a target that is running now.
func (p *Progress) begin() {
	if p == nil {
		return
	}
	p.counts.Lock()
	defer p.counts.Unlock()
	p.counts.running++
}

// add counts one that has ended.
func (p *Progress) add(r *outcome) {
	if p == nil {
		return
	}
	p.counts.Lock()
	defer p.counts.Unlock()
	p.counts.running--
	p.counts.done++
	if r.code != codeDone {
		p.counts.failed++
	}
}

// text is the line, in the longest form that fits.
func (p *Progress) text(width int) string {
	p.counts.Lock()
	c := &p.counts
	done, total, running, failed := c.done, c.total, c.running, c.failed
	left := timeLeft(p.now().Sub(c.start), done, total)
	p.counts.Unlock()
	for _, form := range []string{
		"%d of %d done, %d running, %d failed, %s left",
		"%d/%d done, %d run, %d fail, %s left",
		"%d/%d, %d run, %d fail, %s",
	} {
		if text := fmt.Sprintf(form, done, total, running, failed, left); len(text) < width {
			return text
		}
	}
	return fmt.Sprintf("%d/%d", done, total)
}

// timeLeft guesses from the time that it took so far.
func timeLeft(took time.Duration, done, total int) string {
	if done == 0 {
		return "?"
	}
	return (took / time.Duration(done) * time.Duration(total-done)).Round(time.Second).String()
}

// Above gives a writer whose text appears over the line, for what a person
// reads on the same terminal.
func (p *Progress) Above(w io.Writer, isTerminal bool) io.Writer {
	if p == nil || p.to == nil || !isTerminal {
		return w
	}
	return &overLine{p, w}
}

type overLine struct {
	p *Progress
	w io.Writer
}

func (o *overLine) Write(text []byte) (int, error) {
	o.p.screen.RLock()
	defer o.p.screen.RUnlock()
	if o.p.screen.container == nil {
		return o.w.Write(text)
	}
	return o.p.screen.container.Write(text)
}
