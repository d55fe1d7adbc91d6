//go:build linux

package main

import (
	"strings"
	"testing"
)

// What the flags leave open is asked for on the terminal, and the diff is shown before the question.
func TestSetupAsksInTheTerminal(t *testing.T) {
	s := inTerminal(t, "http://127.0.0.1:1", `crossrole setup new </dev/null >"$HOME/docs.json"; echo "code=$?"; cat "$HOME/docs.json" "$HOME/.aws/config"; echo end`)
	s.waitFor("ARN of the role to assume: ")
	s.typeText("arn:aws:iam::222222222222:role/RoleB\n")
	s.waitFor("Profile whose credentials assume it: ")
	s.typeText("A-san\n")
	s.waitFor("External ID that the role demands")
	s.typeText("ExternalId123\n")
	s.waitFor("ARN of who assumes it")
	s.typeText("arn:aws:iam::111111111111:user/A-san\n")
	s.waitFor("[y/N] ")
	if !strings.Contains(s.shown(), "+role_arn = arn:aws:iam::222222222222:role/RoleB") {
		t.Errorf("asked before the diff was shown: %s", s.shown())
	}
	s.typeText("y\n")
	s.waitFor("end")
	for _, want := range []string{"code=0", "left to do", "[profile new]", `"Principal"`, `"sts:ExternalId": "ExternalId123"`} {
		if !strings.Contains(s.shown(), want) {
			t.Errorf("%q was not shown: %s", want, s.shown())
		}
	}
}

// An answer that can't be right is asked for again at once; what was answered before stays.
func TestSetupAsksAgain(t *testing.T) {
	s := inTerminal(t, "http://127.0.0.1:1", `crossrole setup new --dry-run >/dev/null; echo "code=$?"`)
	for _, step := range [][2]string{
		{"ARN of the role to assume: ", "banana"},
		{"is not the ARN of a role", "arn:aws:iam::222222222222:role/RoleB"},
		{"Profile whose credentials assume it: ", "A-sun"},
		{"did you mean", "A-san"},
		{"External ID that the role demands", ""},
		{"crossrole whoami A-san tells): ", "me"},
		{"crossrole whoami SOURCE_PROFILE tells", "111111111111"},
		{"+source_profile = A-san", ""},
	} {
		s.waitFor(step[0])
		s.typeText(step[1] + "\n")
	}
	s.waitFor("code=0")
	if n := strings.Count(s.shown(), "ARN of the role to assume: "); n != 2 {
		t.Errorf("the role was asked for %d times: %s", n, s.shown())
	}
	s = inTerminal(t, "http://127.0.0.1:1", `crossrole setup new; echo "code=$?"`)
	for range maxAnswers {
		s.waitFor("ARN of the role to assume: ")
		s.typeText("banana\n")
	}
	s.waitFor("code=3")
}

// Code for a shell on a person's screen is explained; in $(…) nothing is said.
func TestUnsetOnATerminal(t *testing.T) {
	s := inTerminal(t, "http://127.0.0.1:1", `crossrole unset; x=$(crossrole unset 2>&1); case $x in *"eval $"*) echo said ;; *) echo silent ;; esac; echo end`)
	s.waitFor("end")
	if shown := s.shown(); !strings.Contains(shown, "for the shell to run:  eval $(crossrole unset)") || !strings.Contains(shown, "silent") {
		t.Errorf("the screen shows %q", shown)
	}
}

// A no is no: nothing is written and nothing printed.
func TestSetupTakesNoForAnAnswer(t *testing.T) {
	s := inTerminal(t, "http://127.0.0.1:1", `crossrole setup new --role-arn arn:aws:iam::222222222222:role/RoleB --source-profile A-san --caller 111111111111 | wc -c; grep -c "profile new" "$HOME/.aws/config"; echo end`)
	s.waitFor("[y/N] ")
	s.typeText("n\n")
	s.waitFor("end")
	if shown := s.shown(); !strings.Contains(shown, "is not written") || strings.Contains(shown, "left to do") || strings.Count(shown, "0\r\n") != 2 {
		t.Errorf("after a no: %s", shown)
	}
}

// The answer has colour where a person looks at it, unless they want none.
func TestExplainColoursOnATerminal(t *testing.T) {
	const line = `crossrole explain --caller arn:aws:iam::111111111111:user/A-san --role-arn arn:aws:iam::111111111111:role/R --trust-policy "$HOME/t.json"; echo "code=$?"`
	const trust = `echo '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}' >"$HOME/t.json"; `
	for env, coloured := range map[string]bool{"": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		s := inTerminal(t, "http://127.0.0.1:1", trust+env+" "+line)
		s.waitFor("code=4")
		if shown := s.shown(); strings.Contains(shown, "\x1b[") != coloured || !strings.Contains(shown, "DENIED") {
			t.Errorf("%q: %q", env, shown)
		}
	}
	s := inTerminal(t, "http://127.0.0.1:1", trust+strings.Replace(line, "; echo", ` | cat; echo`, 1))
	s.waitFor("code=0")
	if strings.Contains(s.shown(), "\x1b[") {
		t.Errorf("into a pipe: %q", s.shown())
	}
}
