//go:build docs

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"crossrole/internal/tools/termsvg"
)

const pictureTitle = "A terminal: crossrole lists profiles, assume takes a role of another account and the prompt shows it with the minutes left, " +
	"the AWS CLI is that role, and crossrole explain says why another role is denied"

// pictureSession is what is typed for the picture of the docs.
var pictureSession = []string{
	`eval "$(crossrole init bash --prompt)"`,
	`crossrole list 'p*'`,
	`assume prod`,
	`aws sts get-caller-identity --query Arn --output text`,
	`assume --unset`,
	`crossrole explain denied --live --target-profile prod-audit`,
}

// promptMark is a window title that the prompt sets: the shell waits for a line. The picture does not show it.
const promptMark = "\x1b]0;bash\a"

// TestPictureIsCurrent makes docs/terminal.svg from a session in a real shell and compares it, or writes it (make docs).
func TestPictureIsCurrent(t *testing.T) {
	if !haveShell(t, "bash") {
		return
	}
	shown := typeSession(t, newDesk(t), pictureSession)
	screen := termsvg.NewScreen(pictureWidth)
	if err := screen.Show(steady(shown)); err != nil {
		t.Fatal(err)
	}
	picture := []byte(screen.SVG(pictureTitle))
	file := filepath.Join("..", "..", "docs", "terminal.svg")
	if *writeDocs {
		if err := os.WriteFile(file, picture, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, picture) {
		t.Errorf("docs/terminal.svg is out of date, run `make docs` (%v); the session now shows\n%s", err, strings.Join(screen.Lines(), "\n"))
	}
}

const pictureWidth = 112

var minutesLeft = regexp.MustCompile(`\(prod (?:1h0m|5[0-9]m)\) `)

// steady takes out of a session what is another in every run: a minute that has gone by, and who ran it.
func steady(shown string) string {
	return strings.ReplaceAll(minutesLeft.ReplaceAllString(shown, "(prod 59m) "), "crossrole-"+newApp().who(), "crossrole-me")
}

// typeSession types each line when the shell's prompt is there, and gives all that the terminal showed.
func typeSession(t *testing.T, d *desk, lines []string) string {
	t.Helper()
	cmd := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	cmd.Dir = d.home
	cmd.Env = append(without(d.env, "NO_COLOR", "TERM"), "TERM=xterm-256color", "PS1="+`\[\e]0;bash\a\]$ `, "HISTFILE=")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 60, Cols: pictureWidth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	limit := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer limit.Stop()
	var shown strings.Builder
	for i := 0; ; i++ {
		readUntil(t, tty, &shown, i+1)
		if i == len(lines) {
			break
		}
		if _, err := tty.WriteString(lines[i] + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = tty.Close()
	_ = cmd.Wait() // the shell ends with its terminal
	text := shown.String()
	return text[:strings.LastIndex(text, "\n")+1] // not the prompt after the last line
}

// readUntil reads until so many prompts have been shown.
func readUntil(t *testing.T, tty *os.File, shown *strings.Builder, prompts int) {
	t.Helper()
	buf := make([]byte, 4096)
	for strings.Count(shown.String(), promptMark) < prompts || !strings.HasSuffix(shown.String(), "$ ") {
		n, err := tty.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, shown.String())
		}
		shown.Write(buf[:n])
	}
}

func without(env []string, names ...string) []string {
	var out []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		keep := true
		for _, n := range names {
			keep = keep && n != name
		}
		if keep {
			out = append(out, e)
		}
	}
	return out
}
