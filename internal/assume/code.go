package assume

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"
)

// processLimit bounds a credential_process or mfa_process, as the SDK does.
const processLimit = time.Minute

const (
	// codeStep is for how long an authenticator shows one code (RFC 6238).
	codeStep = 30 * time.Second
	// maxCodes is how many codes one call is tried with. AWS takes each once, so
	// the second of two calls within a step is refused though nothing is wrong.
	maxCodes = 3
)

// withCode makes a call that needs an MFA code. If AWS refuses the code, it is
// made again with the next one: a person is asked for it, and mfa_process runs
// when the authenticator has moved on. A code of the command line is the only
// one there is.
func (r *Runner) withCode(ctx context.Context, given Secret, process string, q CodeQuestion, call func(code string) (Session, error)) (Session, error) {
	var refused error
	var last string
	for try := 1; ; try++ {
		code, err := r.code(ctx, given, process, q)
		if _, gone := errors.AsType[*PersonError](err); refused != nil && (gone || code == last) {
			return Session{}, refused // there is no other code: AWS's no is the news
		}
		if err != nil {
			return Session{}, err
		}
		s, err := call(code)
		if err == nil || given.IsSet() || try == maxCodes || !codeRefused(err) {
			return s, err
		}
		refused, last, q.Refused = err, code, true
		if process == "" {
			continue
		}
		if err := r.nextCode(ctx, q.Serial); err != nil {
			return Session{}, err
		}
	}
}

// codeRefused tells a code that is wrong or was used from every other refusal:
// AWS has no error code of its own for it.
func codeRefused(err error) bool {
	denied, ok := errors.AsType[*DeniedError](err)
	return ok && denied.badCode()
}

// nextCode waits until the authenticator shows another code.
func (r *Runner) nextCode(ctx context.Context, serial string) error {
	now := r.deps.Now()
	wait := now.Truncate(codeStep).Add(codeStep).Sub(now)
	r.deps.Notice("the MFA code of " + quoted(serial) + " was refused, as a code is that was used before: waiting " +
		wait.Round(time.Second).String() + " for the next one")
	return r.deps.Sleep(ctx, wait)
}

// code finds the MFA code: the flag, then mfa_process, then the person.
func (r *Runner) code(ctx context.Context, given Secret, process string, q CodeQuestion) (string, error) {
	if given.IsSet() {
		return given.Reveal(), nil
	}
	if process != "" {
		return r.codeOfProcess(ctx, process, q)
	}
	if r.deps.AskCode == nil {
		return "", &PersonError{
			Doing: "asking for an MFA code of " + quoted(q.Serial), Why: "there is nobody to ask",
			Advice: []string{"give --mfa-code, or set mfa_process"},
		}
	}
	code, err := r.deps.AskCode(ctx, q)
	if err != nil {
		return "", err
	}
	return code, nil
}

// codeOfProcess runs the command that prints a code. What it prints never
// reaches an error: it may be a code, or the seed.
func (r *Runner) codeOfProcess(ctx context.Context, command string, q CodeQuestion) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, min(processLimit, r.deps.Timeout))
	defer cancel()
	cmd := r.shell(ctx, command)
	out := &atMost{left: maxPrinted}
	cmd.Stdout = out
	doing := "running mfa_process of profile " + quoted(q.Profile)
	if err := cmd.Run(); err != nil {
		why := "it failed: " + err.Error()
		switch {
		case out.full:
			why = errPrintsTooMuch.Error()
		case ctx.Err() != nil:
			why = "it did not end in time"
		}
		return "", &PersonError{Doing: doing, Why: why, Advice: []string{"run the command by hand to see what it says"}, Err: err}
	}
	text := strings.TrimSpace(out.text.String())
	if err := CheckCode(text); err != nil {
		return "", &PersonError{Doing: doing, Why: "it printed no code of 6 digits", Err: errors.New("no code")}
	}
	return text, nil
}

// maxPrinted is more bytes than credentials, or a code, have.
const maxPrinted = 1 << 20

var errPrintsTooMuch = errors.New("the command prints more than credentials or a code have")

// atMost keeps what a process prints, up to its limit. Beyond that it fails, and
// package exec closes the pipe: a process without end costs no memory, and ends.
type atMost struct {
	text bytes.Buffer
	left int
	full bool
}

// Write keeps p, or refuses it whole.
func (w *atMost) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		w.full = true
		return 0, errPrintsTooMuch
	}
	return w.text.Write(p)
}

// shell runs a command line as the SDKs run credential_process.
func (r *Runner) shell(ctx context.Context, command string) *exec.Cmd {
	cmd := shellCommand(ctx, command)
	cmd.Env = r.deps.Environ
	cmd.WaitDelay = time.Second
	return cmd
}
