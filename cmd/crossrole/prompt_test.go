//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"crossrole/internal/localsts"
)

// screen is a terminal with a program in it, and all that it has shown.
type screen struct {
	t   *testing.T
	tty *os.File
	cmd *exec.Cmd

	mu   sync.Mutex
	text bytes.Buffer
}

// inTerminal runs a shell line in a terminal of its own, with crossrole on the
// PATH and the example accounts' profiles.
func inTerminal(t *testing.T, url, line string, env ...string) *screen {
	t.Helper()
	home := t.TempDir()
	for name, text := range map[string]string{
		".aws/credentials": "[A-san]\naws_access_key_id = " + localsts.ExampleKeyID + "\naws_secret_access_key = " + localsts.ExampleSecret + "\n",
		".aws/config": "[profile mfa]\nrole_arn = arn:aws:iam::222222222222:role/MFA\nsource_profile = A-san\nmfa_serial = " + localsts.ExampleMFASerial +
			"\n[profile prod]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = A-san\n",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &screen{t: t, cmd: exec.CommandContext(t.Context(), "sh", "-c", line)}
	s.cmd.Env = append(append(instruments(), "HOME="+home, "PATH="+programs(t)+":"+os.Getenv("PATH"), "TERM=xterm", "AWS_ENDPOINT_URL_STS="+url), env...)
	tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	s.tty = tty
	t.Cleanup(func() {
		_ = tty.Close()
		_ = cmdEnd(s.cmd) // its last files are in the home folder
	})
	go s.read()
	return s
}

// cmdEnd waits for a program whose terminal is gone.
func cmdEnd(cmd *exec.Cmd) error {
	_ = cmd.Process.Kill()
	return cmd.Wait()
}

// programs is a folder in which crossrole is this test binary.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "crossrole")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *screen) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until the screen has shown the text.
func (s *screen) waitFor(text string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(s.shown(), text) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the screen never showed %q:\n%s", text, s.shown())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *screen) typeText(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// echoes tells whether the terminal shows what is typed.
func (s *screen) echoes() bool {
	s.t.Helper()
	state, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func (s *screen) waitEcho(want bool) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for s.echoes() != want {
		if time.Now().After(deadline) {
			s.t.Fatalf("the terminal's echo is %v", !want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// The question is asked on the terminal, inside $(…), with stdin elsewhere.
func TestPromptInsideEval(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `eval $(crossrole assume mfa </dev/null 2>/dev/null); echo "have=$AWS_ACCESS_KEY_ID"`)
	s.waitFor("MFA code")
	s.waitEcho(false)
	code := exampleCode(t)
	s.typeText(code + "\n")
	s.waitFor("have=ASIA")
	if strings.Contains(s.shown(), code) {
		t.Errorf("the code was echoed: %s", s.shown())
	}
	s.waitEcho(true)
}

// A mistyped code is asked for again, without a call.
func TestPromptAgainAfterATypingError(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `crossrole assume mfa >/dev/null; echo "code=$?"`)
	s.waitFor("MFA code")
	s.waitEcho(false)
	s.typeText("12ab\n")
	s.waitFor("6 digits")
	s.waitEcho(false)
	s.typeText(exampleCode(t) + "\n")
	s.waitFor("code=0")
	if n := sts.Count("AssumeRole") + sts.Count("GetSessionToken"); n > 2 {
		t.Errorf("%d calls", n)
	}
}

// Ctrl-C in the prompt ends the program and brings the echo back.
func TestInterruptInThePrompt(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `trap : INT; crossrole assume mfa; echo "code=$?"; sleep 5`)
	s.waitFor("MFA code")
	s.waitEcho(false)
	s.typeText("\x03")
	s.waitFor("code=130")
	s.waitEcho(true)
	if n := sts.Count("AssumeRole"); n != 0 {
		t.Errorf("%d calls after Ctrl-C", n)
	}
}

// An end of file in the prompt is nobody's answer.
func TestEndOfFileInThePrompt(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `crossrole assume mfa; echo "code=$?"; sleep 5`)
	s.waitFor("MFA code")
	s.waitEcho(false)
	s.typeText("\x04")
	s.waitFor("code=5")
	s.waitEcho(true)
}

// On a terminal a summary is shown, and no secret without --show.
func TestTerminalSeesNoSecret(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `crossrole assume prod; echo "code=$?"`)
	s.waitFor("code=0")
	if text := s.shown(); strings.Contains(text, "AWS_SECRET_ACCESS_KEY") || !strings.Contains(text, "eval $(crossrole assume prod)") {
		t.Errorf("shown: %s", text)
	}
	s = inTerminal(t, sts.URL, `crossrole assume prod --show; echo "code=$?"`)
	s.waitFor("code=0")
	if text := s.shown(); !strings.Contains(text, "AWS_SECRET_ACCESS_KEY=") {
		t.Errorf("--show showed: %s", text)
	}
}
