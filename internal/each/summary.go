package each

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/word"
)

// summary counts what became of the targets, and keeps the failures by cause.
type summary struct {
	total, done int
	failed      int
	causes      []string // in the order in which they were met
	by          map[string][]*outcome
	judge       func(Target, error) Verdict
	warnings    Warnings
}

func newSummary(total int, judge func(Target, error) Verdict) *summary {
	return &summary{total: total, by: map[string][]*outcome{}, judge: judge}
}

func (s *summary) add(r *outcome) {
	s.done++
	s.warnings.Add(r.target, r.warns)
	if r.code == codeDone {
		return
	}
	s.failed++
	cause := strconv.Itoa(r.code) + " " + s.kindOf(r)
	if s.by[cause] == nil {
		s.causes = append(s.causes, cause)
	}
	s.by[cause] = append(s.by[cause], &outcome{index: r.index, target: r.target, code: r.code, err: r.err})
}

var (
	accountInText = regexp.MustCompile(`\b[0-9]{12}\b`)
	idInText      = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f-]{27}\b`)
)

// kindOf is a cause without what is each target's own, so that failures of one
// cause stand together.
func (s *summary) kindOf(r *outcome) string {
	kind := strings.ReplaceAll(s.causeOf(r), strconv.Quote(r.target.Profile), "PROFILE")
	return idInText.ReplaceAllString(accountInText.ReplaceAllString(kind, "ACCOUNT"), "ID")
}

// causeOf says what went wrong without naming the target.
func (s *summary) causeOf(r *outcome) string {
	if r.err == nil {
		return "the command ended with exit code " + strconv.Itoa(r.code)
	}
	return s.judge(r.target, r.err).Cause
}

const (
	mostNamed  = 25 // targets that are named with a cause; records and journals have all
	mostCauses = 30
)

// write tells a person how it went: the warnings, one line, and a table of what failed.
func (s *summary) write(w io.Writer, took time.Duration) {
	var b strings.Builder
	s.warnings.Write(&b)
	fmt.Fprintf(&b, "crossrole: %d of %d done in %s, %d failed", s.done-s.failed, s.total, took.Round(100*time.Millisecond), s.failed)
	if left := s.total - s.done; left > 0 {
		fmt.Fprintf(&b, ", %d not begun", left)
	}
	b.WriteString("\n")
	for _, cause := range s.causes[:min(len(s.causes), mostCauses)] {
		s.writeCause(&b, cause)
	}
	if more := len(s.causes) - mostCauses; more > 0 {
		fmt.Fprintf(&b, "%6d more causes\n", more)
	}
	_, _ = io.WriteString(w, b.String())
}

func (s *summary) writeCause(b *strings.Builder, cause string) {
	list := s.by[cause]
	fmt.Fprintf(b, "%6d  exit %d  %s\n", len(list), list[0].code, word.Clean(s.causeOf(list[0])))
	var names []string
	for _, r := range list[:min(len(list), mostNamed)] {
		names = append(names, r.target.Label())
	}
	text := strings.Join(names, ", ")
	if more := len(list) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	b.WriteString("        " + text + "\n")
	for _, hint := range s.judge(list[0].target, list[0].err).Hints {
		b.WriteString("        hint: " + hint + "\n")
	}
}

func (s *summary) result() Result {
	return Result{Total: s.total, Done: s.done, Failed: s.failed, Person: s.failed > 0 && s.failed == s.total && s.allPerson()}
}

// allPerson tells whether every failure is for want of a person.
func (s *summary) allPerson() bool {
	for _, list := range s.by {
		for _, r := range list {
			if r.err == nil || !s.judge(r.target, r.err).Person {
				return false
			}
		}
	}
	return true
}
