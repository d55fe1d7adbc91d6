package assume

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// processLimit bounds a credential_process or mfa_process, as the SDK does.
const processLimit = time.Minute

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
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	doing := "running mfa_process of profile " + quoted(q.Profile)
	if err := cmd.Run(); err != nil {
		why := "it failed: " + err.Error()
		if ctx.Err() != nil {
			why = "it did not end in time"
		}
		return "", &PersonError{Doing: doing, Why: why, Advice: []string{"run the command by hand to see what it says"}, Err: err}
	}
	text := strings.TrimSpace(out.String())
	if err := CheckCode(text); err != nil {
		return "", &PersonError{Doing: doing, Why: "it printed no code of 6 digits", Err: errors.New("no code")}
	}
	return text, nil
}

// shell runs a command line as the SDKs run credential_process.
func (r *Runner) shell(ctx context.Context, command string) *exec.Cmd {
	name, arg := "sh", "-c"
	if runtime.GOOS == "windows" {
		name, arg = "cmd.exe", "/C"
	}
	cmd := exec.CommandContext(ctx, name, arg, command)
	cmd.Env = r.deps.Environ
	cmd.WaitDelay = time.Second
	return cmd
}
