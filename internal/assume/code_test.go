package assume

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// codes are those that the example's device shows from now on, one a step.
func codes(t *testing.T, now time.Time, steps ...int) []string {
	t.Helper()
	device := localsts.MFADevice{Serial: localsts.ExampleMFASerial, Seed: localsts.ExampleMFASeed}
	out := make([]string, len(steps))
	for i, step := range steps {
		code, err := device.Code(now.Add(time.Duration(step) * codeStep))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = code
	}
	return out
}

// The second of two calls within half a minute gets the code that the first one
// used up: it waits for the next one, and runs mfa_process again.
func TestUsedCodeOfAProcessWaitsForTheNext(t *testing.T) {
	forSh(t)
	sts := localsts.StartTest(t, localsts.Options{})
	now := time.Now()
	show := filepath.Join(t.TempDir(), "code")
	shown := codes(t, now, 0, 1)
	write := func(code string) {
		if err := os.WriteFile(show, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(shown[0])
	var waited []time.Duration
	var said []string
	deps := Deps{
		Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error {
			waited = append(waited, d)
			write(shown[1])
			return nil
		},
		Notice: func(text string) { said = append(said, text) },
	}
	chain := chainTo(roleMFA)
	chain.Hops[0].MFAProcess.Text = "cat " + show
	over := Overrides{MFASerial: localsts.ExampleMFASerial}
	for range 2 {
		if _, err := runAt(t, sts.URL, chain, over, deps); err != nil {
			t.Fatal(err)
		}
	}
	step := now.Truncate(codeStep).Add(codeStep).Sub(now)
	if len(waited) != 1 || waited[0] != step || len(said) != 1 || strings.Contains(said[0], shown[0]) {
		t.Errorf("waited %v where %v are left of the step, said %q", waited, step, said)
	}
	// A process that knows no other code does not burn more tries.
	calls := sts.Count("AssumeRole")
	var denied *DeniedError
	if _, err := runAt(t, sts.URL, chain, over, deps); !errors.As(err, &denied) || sts.Count("AssumeRole") != calls+1 {
		t.Errorf("%d calls, %v", sts.Count("AssumeRole")-calls, err)
	}
}

// A person is asked again, and told why; somebody who goes away hears AWS's no.
func TestRefusedCodeIsAskedForAgain(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	code := codes(t, time.Now(), 0)[0]
	type answer struct {
		code string
		err  error
	}
	gone := &PersonError{Doing: "asking", Why: "nothing was typed"}
	for _, tt := range []struct {
		name    string
		answers []answer
		denied  bool
	}{
		{"three wrong ones", []answer{{code: "000000"}, {code: "000001"}, {code: "000002"}}, true},
		{"the same again", []answer{{code: "000000"}, {code: "000000"}}, true},
		{"nobody the second time", []answer{{code: "000000"}, {err: gone}}, true},
		{"the next one", []answer{{code: "000000"}, {code: code}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var refused []bool
			_, err := runAt(t, sts.URL, chainTo(roleMFA), Overrides{MFASerial: localsts.ExampleMFASerial}, Deps{
				AskCode: func(_ context.Context, q CodeQuestion) (string, error) {
					a := tt.answers[len(refused)]
					refused = append(refused, q.Refused)
					return a.code, a.err
				},
				Sleep: func(context.Context, time.Duration) error {
					t.Error("it waited for a person by the clock")
					return nil
				},
			})
			if _, denied := errors.AsType[*DeniedError](err); denied != tt.denied || (err != nil) != tt.denied {
				t.Errorf("%v", err)
			}
			for i, said := range refused {
				if said != (i > 0) {
					t.Errorf("question %d: told of a refusal: %v", i+1, said)
				}
			}
			if len(refused) != len(tt.answers) {
				t.Errorf("asked %d times", len(refused))
			}
		})
	}
}

// The code of the command line is the only one there is.
func TestRefusedCodeOfAFlag(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	_, err := runAt(t, sts.URL, chainTo(roleMFA), Overrides{MFASerial: localsts.ExampleMFASerial, MFACode: "000000"}, Deps{
		AskCode: func(context.Context, CodeQuestion) (string, error) {
			t.Error("a person was asked")
			return "", nil
		},
	})
	if _, denied := errors.AsType[*DeniedError](err); !denied || sts.Count("AssumeRole") != 1 {
		t.Errorf("%d calls, %v", sts.Count("AssumeRole"), err)
	}
}
