package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/creack/pty"
)

// frame is the last whole frame of the picker, without its escape sequences.
func (s *screen) frame() []string {
	text := s.shown()
	if i := strings.LastIndex(text, redraw); i >= 0 {
		text = text[i:]
	}
	text = regexp.MustCompile(`\x1b\[[?0-9;]*[A-Za-z]`).ReplaceAllString(text, "")
	return strings.Split(text, "\r\n")
}

// The picker draws on the terminal inside $(…), with stdin and stderr elsewhere.
func TestPickerInsideSubstitution(t *testing.T) {
	s := inTerminal(t, "", `name=$(crossrole pick </dev/null 2>/dev/null); echo "chose=[$name] code=$?"`)
	s.waitFor("3/3")
	s.waitEcho(false)
	s.typeText("pro")
	s.waitFor("1/3")
	if text := strings.Join(s.frame(), "\n"); !strings.Contains(text, "222222222222 Open") {
		t.Errorf("no description in %q", text)
	}
	s.typeText("\r")
	s.waitFor("chose=[prod] code=0")
	s.waitEcho(true)
	if strings.Count(s.shown(), screenOn) != 1 || strings.Count(s.shown(), screenOff) != 1 {
		t.Errorf("the screen of before does not come back: %q", s.shown())
	}
}

func TestPickerByTheFunction(t *testing.T) {
	s := inTerminal(t, "", `bash --norc -c 'eval "$(crossrole init bash)"; CROSSROLE_PROFILE=kept; assume; echo "code=$? kept=$CROSSROLE_PROFILE"'`)
	s.waitFor("3/3")
	s.typeText("\x1b[B\x1b[B\x1b[A\x1b")
	s.waitFor("code=130 kept=kept")
	s.waitEcho(true)
}

func TestPickerGivesUp(t *testing.T) {
	for name, typed := range map[string]string{"escape": "\x1b", "ctrl-c": "\x03", "ctrl-d": "\x04"} {
		t.Run(name, func(t *testing.T) {
			s := inTerminal(t, "", `crossrole pick >"$HOME/out"; echo "code=$? size=$(wc -c <"$HOME/out")"`)
			s.waitFor("3/3")
			s.typeText(typed)
			s.waitFor("code=130")
			s.waitEcho(true)
			if shown := s.shown(); !strings.Contains(strings.ReplaceAll(shown, " ", ""), "size=0") || !strings.Contains(shown, "nothing was chosen") {
				t.Errorf("the screen shows %q", shown)
			}
		})
	}
}

func TestPickerInANarrowAndResizedWindow(t *testing.T) {
	s := inTerminal(t, "", `crossrole pick >/dev/null; echo "code=$?"`)
	s.waitFor("3/3")
	for _, width := range []uint16{40, 12, 100} {
		before := strings.Count(s.shown(), redraw)
		if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 6, Cols: width}); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for strings.Count(s.shown(), redraw) == before || !strings.Contains(strings.Join(s.frame(), ""), "3/3") {
			if time.Now().After(deadline) {
				t.Fatalf("nothing was drawn after a resize to %d", width)
			}
			time.Sleep(5 * time.Millisecond)
		}
		for _, line := range s.frame() {
			if cells := displaywidth.String(line); cells > int(width) {
				t.Errorf("a line of %d cells in a window of %d: %q", cells, width, line)
			}
		}
	}
	s.typeText("\r")
	s.waitFor("code=0")
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func TestPickerWithoutColour(t *testing.T) {
	s := inTerminal(t, "", `crossrole pick >/dev/null; echo "code=$?"`, "NO_COLOR=1")
	s.waitFor("> mfa")
	s.typeText("\r")
	s.waitFor("code=0")
	if colour.MatchString(s.shown()) {
		t.Errorf("NO_COLOR, and still %q", s.shown())
	}
	s = inTerminal(t, "", `crossrole pick >/dev/null; echo "code=$?"`)
	s.waitFor("3/3")
	s.typeText("\r")
	s.waitFor("code=0")
	if !colour.MatchString(s.shown()) {
		t.Error("the marked line is not marked")
	}
}

// A terminal that can't draw gets a list with numbers, and no escape sequence.
func TestPickerOnADumbTerminal(t *testing.T) {
	s := inTerminal(t, "", `name=$(crossrole pick); echo "chose=[$name]"`, "TERM=dumb")
	s.waitFor("number, or a part of the name: ")
	s.typeText("nothing like it\n")
	s.waitFor("name: nothing like it\r\nnumber")
	s.typeText("m\n")
	s.waitFor("chose=[mfa]")
	if strings.Contains(s.shown(), "\x1b") {
		t.Errorf("escape sequences on a dumb terminal: %q", s.shown())
	}
	s = inTerminal(t, "", `name=$(crossrole pick p); echo "chose=[$name]"`, "TERM=dumb")
	s.waitFor("name: ")
	s.typeText("1\n")
	s.waitFor("chose=[prod]")
}

// Without a terminal it fails at once.
func TestPickerWithoutATerminal(t *testing.T) {
	cmd := exec.Command("crossrole", "pick")
	cmd.Path = programs(t) + "/crossrole"
	cmd.Env = append(instruments(), "HOME="+shellHome(t), "PATH="+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != exitPerson || len(stdout) > 0 || !strings.Contains(stderr.String(), "no terminal") {
		t.Errorf("%v, stdout %q, stderr %q", err, stdout, stderr.String())
	}
}
