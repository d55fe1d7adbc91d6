//go:build unix

package each

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Sessions are kept together, not one by one; one that is refused fails alone,
// and none is in the journal before it is kept.
func TestKeepTogether(t *testing.T) {
	const n = 1000
	path := filepath.Join(t.TempDir(), "j")
	book, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	calls, kept := 0, map[string]bool{}
	start := time.Now()
	r, _, errs, err := do(t, targets(n, nil), func(o *Options) {
		o.Parallel, o.Journal = 64, book
		o.Keep = func(_ context.Context, list []Obtained) []error {
			calls++
			raw, _ := os.ReadFile(path)
			out := make([]error, len(list))
			for i, one := range list {
				if bytes.Contains(raw, []byte(`"`+one.Target.Profile+`"`)) {
					t.Errorf("%s is in the journal before it is kept", one.Target.Profile)
				}
				kept[one.Session.Account()] = true
				if one.Target.Profile == "p007" {
					out[i] = errDenied
				}
			}
			return out
		}
	})
	if err != nil || len(kept) != n || r != (Result{Total: n, Done: n, Failed: 1}) || !strings.Contains(errs, "1  exit 4  denied\n        p007") {
		t.Errorf("%+v, %v: %d kept: %s", r, err, len(kept), errs)
	}
	if most := 2 + int(time.Since(start)/keepWait); calls > most {
		t.Errorf("kept in %d goes, at most %d", calls, most)
	}
}

// What was obtained before an interruption is kept, and told as done.
func TestKeepWhatAnInterruptionLeaves(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var kept []string
	list := targets(20, func(ctx context.Context, i int) error {
		if i < 5 {
			return nil
		}
		interrupt()
		<-ctx.Done()
		return ctx.Err()
	})
	o := Options{Parallel: 1, Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Judge: judgeTest, Interrupted: errInterrupted, Now: time.Now}
	o.Keep = func(ctx context.Context, list []Obtained) []error {
		for _, one := range list {
			kept = append(kept, one.Target.Profile)
		}
		return slices.Repeat([]error{ctx.Err()}, len(list))
	}
	r, err := Run(ctx, list, o)
	if err != nil || !slices.Equal(kept, []string{"p000", "p001", "p002", "p003", "p004"}) || r.Done-r.Failed != 5 {
		t.Errorf("%+v, %v: kept %v", r, err, kept)
	}
}

// What waits for others does not wait for long; nor does keeping go on once the
// run is to end at once.
func TestKeepDoesNotWaitForever(t *testing.T) {
	kill := make(chan struct{})
	var kept []time.Duration
	var late error
	start := time.Now()
	list := targets(2, func(ctx context.Context, i int) error {
		if i == 0 {
			return nil
		}
		select {
		case <-time.After(3 * keepWait):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	_, _, _, err := do(t, list, func(o *Options) {
		o.Kill = kill
		o.Keep = func(ctx context.Context, list []Obtained) []error {
			if kept = append(kept, time.Since(start)); len(kept) == 2 {
				close(kill)
				<-ctx.Done()
				late = ctx.Err()
			}
			return make([]error, len(list))
		}
	})
	if err != nil || len(kept) != 2 || kept[0] > 2*keepWait || !errors.Is(late, context.Canceled) {
		t.Errorf("%v, %v, %v", err, kept, late)
	}
}
