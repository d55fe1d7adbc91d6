//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"crossrole/internal/localsts"
)

// A person sees one line under the finished outputs, which stay whole; where
// nobody watches, or the terminal can't, there is none of it.
func TestEachProgressOnATerminal(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	const line = `crossrole each mfa prod --no-input --parallel 1 -- sh -c 'echo "one-{profile}"; sleep 1; printf "two-{profile}"'`
	s := inTerminal(t, sts.URL, line+`; echo "code=$?"`)
	s.waitFor("1 of 2 done, 1 running, 1 failed, ")
	s.waitFor("one-prod\r\ntwo-prod\r\n")
	s.waitFor("code=1")
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		s := inTerminal(t, sts.URL, line+`; echo "code=$?"`, env)
		s.waitFor("code=1")
		if text := s.shown(); strings.Contains(text, " running") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", env, text)
		}
	}
	s = inTerminal(t, sts.URL, line+` 2>"$HOME/said"; echo "code=$?"; cat "$HOME/said"`)
	s.waitFor("1 of 2 done in")
	if text := s.shown(); strings.Contains(text, " running") || strings.Contains(text, "\x1b") {
		t.Errorf("piped: %q", text)
	}
}

// The question for a code has the screen for itself.
func TestEachAsksBesideTheProgress(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `crossrole each mfa; echo "code=$?"`)
	s.waitFor("MFA code of")
	s.waitEcho(false)
	before := s.shown()
	time.Sleep(400 * time.Millisecond)
	if after := s.shown(); after != before {
		t.Errorf("drawn over the question: %q", strings.TrimPrefix(after, before))
	}
	s.typeText(exampleCode(t) + "\n")
	s.waitFor("code=0")
}

// The line is never longer than the terminal is wide.
func TestEachProgressFits(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	s := inTerminal(t, sts.URL, `sleep 0.2; crossrole each prod -- sleep 1; echo "code=$?"`)
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 24, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	s.waitFor("0/1 done, 1 run, 0 fail, ? left")
	s.waitFor("code=0")
}
