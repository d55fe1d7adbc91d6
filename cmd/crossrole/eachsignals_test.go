//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/each"
	"crossrole/internal/localsts"
)

// Ctrl-C ends the children, also those that ignore it, and tells what is done
// and what is not.
func TestEachInterrupted(t *testing.T) {
	accounts, home := fleet(t, 20)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	pids := filepath.Join(home, "pids")
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--parallel", "3", "--", "sh", "-c", "trap '' TERM INT; echo $$ >>"+pids+"; sleep 60 & wait; sleep 60")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForLines(t, pids, 3)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || time.Since(start) > 4*each.StopGrace {
		t.Errorf("exit %d after %v", code, time.Since(start))
	}
	if text := errs.String(); !strings.Contains(text, "17 not begun") {
		t.Errorf("summary: %s", text)
	}
}

// A second Ctrl-C waits for nobody, and what the children started goes too.
func TestEachInterruptedTwice(t *testing.T) {
	accounts, home := fleet(t, 8)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	pids := filepath.Join(home, "pids")
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--parallel", "2", "--format", "jsonl", "--",
		"sh", "-c", "trap '' TERM INT; (echo $$ >>"+pids+"; sleep 60) & sh -c 'echo $$ >>"+pids+"; sleep 60'")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForLines(t, pids, 4)
	start := time.Now()
	for range 2 {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = cmd.Wait()
	if code, took := cmd.ProcessState.ExitCode(), time.Since(start); code != exitInterrupted || took > each.StopGrace {
		t.Errorf("exit %d after %v", code, took)
	}
	gone(t, pids)
}

// A closed terminal (SIGHUP) ends the run as Ctrl-C does.
func TestEachHangUp(t *testing.T) {
	accounts, home := fleet(t, 5)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	pids := filepath.Join(home, "pids")
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--parallel", "2", "--", "sh", "-c", "echo $$ >>"+pids+"; sleep 60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForLines(t, pids, 2)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	if raw, _ := os.ReadFile(pids); bytes.Count(raw, []byte("\n")) != 2 {
		t.Errorf("accounts were begun after the hang-up: %q", raw)
	}
	gone(t, pids)
}

// A reader that goes away ends the run with an error; what is done is in the
// journal, and a resume does the rest.
func TestEachReaderGoesAway(t *testing.T) {
	for _, mode := range [][]string{{"--format", "jsonl"}, {"--output", "grouped"}, {"--output", "prefix"}} {
		accounts, home := fleet(t, 40)
		sts := localsts.StartTest(t, localsts.Options{}, accounts...)
		args := append([]string{"each", "a*", "--parallel", "2", "--resume", "j"}, mode...)
		cmd := crossrole(t.Context(), t, home, sts.URL, append(args, "--", "sh", "-c", "echo {account}; sleep 0.05")...)
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = write, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = write.Close()
		_, _ = read.Read(make([]byte, 1))
		_ = read.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(errs.String(), "broken pipe") || !strings.Contains(errs.String(), "not begun") {
			t.Errorf("%v: exit %d: %s", mode, code, errs.String())
		}
		if code, _, text := runEach(t, home, sts.URL, "a*", "--resume", "j", "--", "true"); code != 0 {
			t.Errorf("%v: resume: exit %d: %s", mode, code, text)
		}
	}
}
