//go:build unix

package each

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	errInterrupted = errors.New("interrupted")
	errDenied      = errors.New("denied")
	errPerson      = errors.New("nobody to ask")
	errPassing     = errors.New("AWS has a bad day")
)

func judgeTest(_ Target, err error) Verdict {
	v := Verdict{Code: 1, Cause: fmt.Sprint(err)}
	switch {
	case err == nil:
		v.Code = 0
	case errors.Is(err, errDenied):
		v.Code, v.Hints = 4, []string{"look at the trust policy"}
	case errors.Is(err, errPerson):
		v.Code, v.Person = 5, true
	case errors.Is(err, errInterrupted):
		v.Code = 130
	}
	return v
}

type fakeSession string

func (s fakeSession) ARN() string     { return "arn:" + string(s) }
func (s fakeSession) Account() string { return string(s) }
func (s fakeSession) Variables(region string) map[string]string {
	return map[string]string{"WHO": string(s), "WHERE": region}
}

// plan obtains as it is told.
type plan func(ctx context.Context) (Session, error)

func (plan) Region() string                                { return "eu-west-1" }
func (plan) Warnings() []string                            { return nil }
func (p plan) Obtain(ctx context.Context) (Session, error) { return p(ctx) }

// targets are n, of which obtain tells what becomes of the i-th.
func targets(n int, obtain func(ctx context.Context, i int) error) []Target {
	var list []Target
	for i := range n {
		list = append(list, Target{Profile: fmt.Sprintf("p%03d", i), Plan: func() (Plan, error) {
			return plan(func(ctx context.Context) (Session, error) {
				if obtain != nil {
					if err := obtain(ctx, i); err != nil {
						return nil, err
					}
				}
				return fakeSession(fmt.Sprintf("%012d", i)), nil
			}), nil
		}})
	}
	return list
}

// do runs, and gives what was said on both streams.
func do(t *testing.T, list []Target, change func(*Options)) (r Result, out, errs string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	opts := Options{
		Path: os.Getenv("PATH"), Environ: []string{"PATH=" + os.Getenv("PATH")}, Parallel: 4, Output: Grouped, Out: &o, Err: &e,
		Judge: judgeTest, Interrupted: errInterrupted, Now: time.Now,
	}
	change(&opts)
	r, err = Run(t.Context(), list, opts)
	return r, o.String(), e.String(), err
}

func records(t *testing.T, text string) (list []Record) {
	t.Helper()
	for line := range strings.Lines(text) {
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, r)
	}
	return list
}

// Records come in the order of the targets, though the first ends last; each
// has its own variables, exit code and output.
func TestRecordsInOrder(t *testing.T) {
	list := targets(30, func(_ context.Context, i int) error {
		time.Sleep(time.Duration(30-i) * 2 * time.Millisecond)
		if i == 7 {
			return errDenied
		}
		return nil
	})
	r, out, errs, err := do(t, list, func(o *Options) {
		o.Command, o.Output, o.Parallel = []string{"sh", "-c", `echo "$WHO $WHERE $CROSSROLE_ACCOUNT {account}"; test {profile} != p009`}, Records, 30
	})
	if err != nil || r != (Result{Total: 30, Done: 30, Failed: 2}) {
		t.Errorf("%+v, %v", r, err)
	}
	for i, rec := range records(t, out) {
		id := fmt.Sprintf("%012d", i)
		want, code := id+" eu-west-1 "+id+" "+id+"\n", 0
		switch i {
		case 7:
			want, code = "", 4
		case 9:
			code = 1
		}
		if rec.Profile != list[i].Profile || rec.Stdout != want || rec.ExitCode != code {
			t.Errorf("%d: %+v", i, rec)
		}
	}
	for _, want := range []string{"28 of 30 done", "1  exit 4  denied\n        p007\n        hint: look at the trust policy", "1  exit 1  the command ended with exit code 1\n        p009"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
}

// Never more at once than asked for.
func TestParallelIsTheMost(t *testing.T) {
	var now, most atomic.Int32
	_, _, _, err := do(t, targets(60, func(context.Context, int) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		return nil
	}), func(o *Options) { o.Parallel = 5 })
	if err != nil || most.Load() != 5 {
		t.Errorf("%d at once, %v", most.Load(), err)
	}
}

// What may pass is tried again, a refusal never.
func TestRetries(t *testing.T) {
	var tries [3]atomic.Int32
	r, _, _, _ := do(t, targets(3, func(_ context.Context, i int) error {
		switch n := tries[i].Add(1); {
		case i == 0:
			return errDenied
		case i == 1 && n == 1:
			return errPassing
		}
		return nil
	}), func(o *Options) { o.Retries = 3 })
	if r.Failed != 1 || tries[0].Load() != 1 || tries[1].Load() != 2 || tries[2].Load() != 1 {
		t.Errorf("%+v: tried %d, %d, %d times", r, tries[0].Load(), tries[1].Load(), tries[2].Load())
	}
}

// FailFast leaves the rest, as does an interrupted question; others go on.
func TestWhatStopsTheOthers(t *testing.T) {
	for _, c := range []struct {
		err      error
		failFast bool
		all      bool
	}{{errDenied, false, true}, {errDenied, true, false}, {errInterrupted, false, false}} {
		list := targets(50, func(ctx context.Context, i int) error {
			if i == 2 {
				return c.err
			}
			select {
			case <-time.After(5 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		r, _, errs, err := do(t, list, func(o *Options) { o.Parallel, o.FailFast = 2, c.failFast })
		if err != nil || (r.Done == 50) != c.all || r.Complete() || strings.Contains(errs, "not begun") == c.all {
			t.Errorf("%v, fail fast %v: %+v, %v: %s", c.err, c.failFast, r, err, errs)
		}
	}
}

// Only where nothing succeeded for want of a person does the run say so.
func TestPerson(t *testing.T) {
	for others, want := range map[error]bool{errPerson: true, errDenied: false, nil: false} {
		r, _, _, _ := do(t, targets(4, func(_ context.Context, i int) error {
			if i == 0 {
				return errPerson
			}
			return others
		}), func(*Options) {})
		if r.Person != want {
			t.Errorf("others %v: %+v", others, r)
		}
	}
}

// The journal has each success once, and a second run does the rest.
func TestJournalGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	sick := true
	var done atomic.Int32
	list := targets(20, func(_ context.Context, i int) error {
		if i%4 == 0 && sick {
			return errPassing
		}
		done.Add(1)
		return nil
	})
	for want := range 2 {
		book, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		left := book.Remaining(list)
		if _, err := OpenJournal(path); err == nil {
			t.Error("two runs at one journal")
		}
		if r, _, _, err := do(t, left, func(o *Options) { o.Journal = book }); err != nil || len(left) != []int{20, 5}[want] || r.Failed != []int{5, 0}[want] {
			t.Errorf("run %d: %d targets, %+v, %v", want, len(left), r, err)
		}
		sick = false
	}
	raw, _ := os.ReadFile(path)
	if n := len(records(t, string(raw))); n != 20 || done.Load() != 20 {
		t.Errorf("%d records, done %d times", n, done.Load())
	}
}

// Outputs longer than memory should hold come out whole and in one piece.
func TestGroupedIsWhole(t *testing.T) {
	_, out, errs, err := do(t, targets(6, nil), func(o *Options) {
		o.Command = []string{"sh", "-c", `yes "{profile} 0123456789" | head -c 300000; echo; echo "{profile} said" >&2`}
	})
	if err != nil || strings.Count(out, "=== ") != 6 {
		t.Errorf("%v, %d headings", err, strings.Count(out, "=== "))
	}
	for _, part := range strings.Split(out, "=== ")[1:] {
		head, body, _ := strings.Cut(part, "\n")
		name, account, _ := strings.Cut(head, " ")
		if len(body) != 300001 || strings.Count(body, name) < 300000/16 || !strings.HasPrefix(account, "(000000000") || !strings.Contains(errs, name+" said\n") {
			t.Errorf("%s: %d bytes", head, len(body))
		}
	}
}

// What can't be told any more ends the run with an error.
func TestUnwritableOutput(t *testing.T) {
	onlyTheFirst := func(ctx context.Context, i int) error {
		if i > 0 {
			<-ctx.Done() // the first one's record could not be written
		}
		return ctx.Err()
	}
	r, _, errs, err := do(t, targets(100, onlyTheFirst), func(o *Options) { o.Output, o.Out, o.Parallel = Records, brokenWriter{}, 2 })
	if err == nil || r.Done == 100 || !strings.Contains(errs, "not begun") {
		t.Errorf("%+v, %v: %s", r, err, errs)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }
