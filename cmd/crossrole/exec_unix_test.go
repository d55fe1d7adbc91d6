//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"crossrole/internal/localsts"
)

// A child of exec --serve asks an endpoint that lives as long as it does.
func TestExecServe(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "exec", "open", "--serve", "--debug", "--", "sh", "-c", `env; echo ready; read line; exit 9`)
	env := map[string]string{}
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%v\n%s", err, p.stderr)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if name == "ready" {
			break
		}
		env[name] = value
	}
	for name := range env {
		if strings.HasPrefix(name, "AWS_ACCESS_KEY") || strings.HasPrefix(name, "AWS_SESSION") || strings.HasPrefix(name, "AWS_CREDENTIAL_EXP") {
			t.Errorf("the child has %s", name)
		}
	}
	if env["CROSSROLE_PROFILE"] != "open" || env["AWS_REGION"] != "eu-central-1" {
		t.Errorf("profile %q, region %q", env["CROSSROLE_PROFILE"], env["AWS_REGION"])
	}
	if code := p.exit(t); code != 9 {
		t.Errorf("exit %d\n%s", code, p.stderr)
	}
	if _, err := fetch(env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], env["AWS_CONTAINER_AUTHORIZATION_TOKEN"], ""); err == nil {
		t.Error("the endpoint outlives the child")
	}
	if said := p.stderr.String(); s.leak(said) || strings.Contains(said, env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]) {
		t.Errorf("a secret on stderr:\n%s", said)
	}
	if n := s.server.Count("AssumeRole"); n != 1 {
		t.Errorf("%d calls of AssumeRole", n)
	}
}

// SDKs take the default profile's credentials before an endpoint's.
func TestExecServeHidesADefaultProfile(t *testing.T) {
	s := setStage(t, localsts.Options{})
	home := t.TempDir()
	env, err := s.environment(home)
	if err != nil {
		t.Fatal(err)
	}
	add(t, filepath.Join(home, ".aws", "credentials"), "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n")
	cmd := exec.Command("crossrole", "exec", "open", "--serve", "--", "crossrole", "whoami", "--format", "json")
	cmd.Env = env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "assumed-role/Open/") || !strings.Contains(stderr.String(), "default profile") {
		t.Errorf("%v: %s\n%s", err, out, &stderr)
	}
}

func add(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever stops crossrole stops the child, and sees what became of it.
func TestExecServePassesTheEndOn(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "exec", "open", "--serve", "--", "sh", "-c", `trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done`)
	if line, err := p.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v\n%s", line, err, p.stderr)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line, err := p.out.ReadString('\n'); line != "bye\n" {
		t.Errorf("%q, %v", line, err)
	}
	if code := p.exit(t); code != 3 {
		t.Errorf("exit %d", code)
	}
}

// exec leaves nobody between the shell and the command.
func TestExecIsTheCommand(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "exec", "open", "--", "sh", "-c", `echo $$; kill -USR1 $$`)
	line, err := p.out.ReadString('\n')
	if err != nil || strings.TrimSpace(line) != fmt.Sprint(p.Process.Pid) {
		t.Errorf("pid %q, not %d: %v", line, p.Process.Pid, err)
	}
	_ = p.exit(t)
	if ws := p.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGUSR1 {
		t.Errorf("ended by %v", p.ProcessState)
	}
}

// What the parent ignores, the command ignores: so does a shell.
func TestExecKeepsIgnoredSignals(t *testing.T) {
	s := setStage(t, localsts.Options{})
	env, err := s.environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range []string{"", "--serve"} {
		cmd := exec.Command("sh", "-c", `trap '' INT HUP; crossrole exec open `+flags+` -- sh -c 'kill -INT $$; kill -HUP $$; exit 5'`)
		cmd.Env = env
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 5 {
			t.Errorf("%s: %v %s", flags, cmd.ProcessState, out)
		}
	}
}

// No process that we start is started with a secret on its command line.
func TestNothingSecretInArgv(t *testing.T) {
	if _, err := os.Stat("/proc/self/cmdline"); err != nil {
		t.Skip("command lines of other processes are read from /proc, which this system does not have")
	}
	s := setStage(t, localsts.Options{})
	for _, args := range [][]string{
		{"exec", "open", "--", "sh", "-c", "echo ready; exec sleep 60"},
		{"exec", "open", "--serve", "--", "sh", "-c", "echo ready; exec sleep 60"},
		{"serve", "open"},
	} {
		p := launch(t, s, args...)
		if _, err := p.out.ReadString('\n'); err != nil {
			t.Fatalf("%v\n%s", err, p.stderr)
		}
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range files {
			if line, err := os.ReadFile(f); err == nil && s.leak(string(line)) {
				t.Errorf("%v: %s holds a secret", args, f)
			}
		}
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.exit(t)
	}
}

// An MFA code is asked for on the terminal, though stdout goes elsewhere; one
// that AWS refuses is asked for again.
func TestExecAsksOnTheTerminal(t *testing.T) {
	s := setStage(t, localsts.Options{})
	env, err := s.environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command("sh", "-c", `crossrole exec mfa -- sh -c 'echo "$AWS_ACCOUNT_ID"' > "`+out+`"; echo status=$?`)
	cmd.Env = env
	term, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = term.Close() }()
	await(t, term, `MFA code of .*: `)
	_, _ = fmt.Fprintln(term, "000000")
	await(t, term, `(?s)AWS refused that code.*MFA code of .*: `)
	code := exampleCode(t)
	_, _ = fmt.Fprintln(term, code)
	if said := await(t, term, `status=\d+`); !strings.HasSuffix(strings.TrimSpace(said), "status=0") || strings.Contains(said, code) {
		t.Errorf("terminal shows %q", said)
	}
	if text, err := os.ReadFile(out); string(text) != "222222222222\n" {
		t.Errorf("stdout %q, %v", text, err)
	}
	_ = cmd.Wait()
}

// await reads a terminal until the pattern is there.
func await(t *testing.T, r io.Reader, pattern string) string {
	t.Helper()
	re, got := regexp.MustCompile(pattern), ""
	buf := make([]byte, 1024)
	for {
		n, err := r.Read(buf)
		got += string(buf[:n])
		if re.MatchString(got) {
			return got
		}
		if err != nil {
			t.Fatalf("no %q in %q: %v", pattern, got, err)
		}
	}
}

// A killed child is what the exit status tells; its endpoint goes with it.
func TestExecServeChildIsKilled(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "exec", "open", "--serve", "--", "sh", "-c", `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI"; kill -KILL $$`)
	address, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	if code := p.exit(t); code != 128+9 {
		t.Errorf("exit %d\n%s", code, p.stderr)
	}
	if _, err := fetch(strings.TrimSpace(address), "", ""); err == nil {
		t.Error("the endpoint outlives the child")
	}
}

// When the terminal goes, so do crossrole, what it runs and what it wrote.
func TestAClosedTerminalEndsEverything(t *testing.T) {
	s := setStage(t, localsts.Options{})
	for _, line := range []string{
		`exec crossrole serve open`,
		`exec crossrole exec open --serve -- sh -c 'echo "unset $$"; exec sleep 60'`,
		`exec crossrole exec open -- sh -c 'echo "unset $$"; exec sleep 60'`,
	} {
		home := t.TempDir()
		env, err := s.environment(home)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", line)
		cmd.Env = env
		term, err := pty.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		await(t, term, `unset \S+`)
		if err := term.Close(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			t.Errorf("%s: still runs", line)
		}
		if left, _ := filepath.Glob(filepath.Join(home, "crossrole-serve-*")); len(left) > 0 {
			t.Errorf("%s: left %v", line, left)
		}
	}
}

// --min-ttl renews a kept session that is good for less, and leaves one that is good for more.
func TestExecMinTTLRenews(t *testing.T) {
	s := setStage(t, localsts.Options{})
	home := t.TempDir()
	env, err := s.environment(home)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ttl   string
		calls int
	}{{"0", 1}, {"50m", 1}, {"59m59s", 2}} {
		if c.calls == 2 {
			time.Sleep(2100 * time.Millisecond) // for the kept session to have less than that
		}
		cmd := exec.Command("crossrole", "exec", "open", "--min-ttl", c.ttl, "--", "true")
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil || s.server.Count("AssumeRole") != c.calls {
			t.Errorf("--min-ttl %s: %v, %d calls, want %d: %s", c.ttl, err, s.server.Count("AssumeRole"), c.calls, out)
		}
	}
}

// A session that only a code can renew is served to its end; then the SDK is
// told, and nobody is asked on the terminal that the command has.
func TestExecServeWhereOnlyAPersonRenews(t *testing.T) {
	for _, cache := range []string{"file", "off"} {
		t.Run("cache "+cache, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, localsts.Options{Lifetime: 2 * time.Second})
			code := exampleCode(t)
			p := launchWith(t, s, []string{"CROSSROLE_CACHE=" + cache}, "exec", "mfa", "--serve", "--mfa-code", code, "--",
				"sh", "-c", `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN"; exec sleep 60`)
			line, err := p.out.ReadString('\n')
			if err != nil {
				t.Fatalf("%v\n%s", err, p.stderr)
			}
			address, token, _ := strings.Cut(strings.TrimSpace(line), " ")
			good := 0
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
				a, err := fetch(address, token, "")
				if err != nil || time.Now().After(end) {
					t.Fatalf("%d answers, %v\n%s", good, err, p.stderr)
				}
				if a.status == 200 {
					good++
					continue
				}
				if a.status != 403 || a.Code != "PersonNeeded" {
					t.Errorf("status %d, code %s", a.status, a.Code)
				}
				break
			}
			if good < 5 {
				t.Errorf("%d answers before the session's end", good)
			}
			if said := p.stderr.String(); strings.Contains(said, "MFA") {
				t.Errorf("somebody was asked: %s", said)
			}
			_ = p.Process.Signal(syscall.SIGTERM)
			_ = p.exit(t)
		})
	}
}
