//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"crossrole/internal/localsts"
)

// An answer from memory is the same, byte for byte, as the ordinary one, whatever the format.
func TestTheEarlyAnswerIsTheOrdinaryOne(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	c.good(c.assume("open"))
	for _, format := range []string{"process", "env", "env-no-export", "fish", "powershell", "windows-cmd", "nushell", "dotenv", "json"} {
		args := []string{"assume", "open", "--format", format, "--duration", "1h"}
		c.env = append(c.env, "CROSSROLE_CACHE_DIR="+filepath.Join(c.dir, "cache-"+format))
		ordinary := finish(t, c.command(args...)) // the session is made
		second := finish(t, c.command(append(args[:len(args):len(args)], "--timeout", "40s")...))
		early := c.command(args...)
		early.Env = append(early.Env, "GODEBUG=inittrace=1")
		got := finish(t, early)
		if ordinary.code != 0 || ordinary.out == "" || got.out != ordinary.out || second.out != ordinary.out {
			t.Errorf("%s: %q\nthen %q\nthen %q", format, ordinary.out, second.out, got.out)
		}
		if strings.Contains(got.err, "init net/http ") {
			t.Errorf("%s: the second answer was not an early one", format)
		}
		if said := withoutTrace(got.err); said != ordinary.err {
			t.Errorf("%s: said %q, then %q", format, ordinary.err, said)
		}
	}
}

var traceLine = regexp.MustCompile(`(?m)^init \S+ @.*\n`)

func withoutTrace(text string) string { return traceLine.ReplaceAllString(text, "") }

// A config that was written an instant before is relied on as soon as a later change would show.
func TestAYoungConfigIsAnsweredEarlyToo(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	args := []string{"assume", "open", "--format", "process"}
	c.good(finish(t, c.command(args...)))
	early := 0
	for range 10 {
		noError(t, os.RemoveAll(filepath.Join(c.dir, "cache")))
		noError(t, os.WriteFile(filepath.Join(c.dir, ".aws", "config"), []byte(crowdConfig), 0o600))
		c.good(finish(t, c.command(args...)))
		second := c.command(args...)
		second.Env = append(second.Env, "GODEBUG=inittrace=1")
		if r := finish(t, second); !strings.Contains(r.err, "init net/http ") {
			early++
		}
	}
	if early < 5 {
		t.Errorf("%d of 10 second answers were early ones", early)
	}
}

// Edited within one tick of the clock, with the same size, a config is never answered for by its old self.
func TestAnEditWithinTheClocksGrain(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	path := filepath.Join(c.dir, ".aws", "config")
	other := strings.Replace(crowdConfig, "role/Open", "role/CI00", 1) // a role that is not there
	for range 15 {
		noError(t, os.WriteFile(path, []byte(crowdConfig), 0o600))
		c.good(c.assume("open"))
		noError(t, os.WriteFile(path, []byte(other), 0o600))
		if r := c.assume("open"); r.code == 0 {
			t.Fatal("the role of before the edit was served")
		}
	}
}

func TestTheEarlyAnswerRepeatsTheWarnings(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	args := []string{"assume", "behind", "--duration", "2h", "--format", "process"}
	first, second := finish(t, c.command(args...)), finish(t, c.command(args...))
	if !strings.Contains(first.err, "shortened") || first != second {
		t.Errorf("first %+v\nthen %+v", first, second)
	}
}
