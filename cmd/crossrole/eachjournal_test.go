//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// A killed run and its resume do each account exactly once in the journal.
func TestEachKilledAndResumed(t *testing.T) {
	const n = 120
	accounts, home := fleet(t, n)
	sts := localsts.StartTest(t, localsts.Options{Hook: localsts.Latency(10 * time.Millisecond)}, accounts...)
	journal := filepath.Join(home, "done.jsonl")
	args := []string{"each", "a*", "--resume", journal, "--parallel", "4", "--", "sh", "-c", "echo {account}"}
	cmd := crossrole(t.Context(), t, home, sts.URL, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForLines(t, journal, 20)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// What a kill in the middle of a write leaves.
	f, err := os.OpenFile(journal, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"profile":"a000`)
	_ = f.Close()
	if out, err := crossrole(t.Context(), t, home, sts.URL, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range readRecords(t, raw) {
		seen[r.Account]++
		if r.ExitCode != 0 || r.Stdout != r.Account+"\n" {
			t.Errorf("%+v", r)
		}
	}
	if len(seen) != n {
		t.Errorf("%d accounts in the journal", len(seen))
	}
	for account, times := range seen {
		if times != 1 {
			t.Errorf("account %s is there %d times", account, times)
		}
	}
}

// Records of regions come account by account in the order of asking, though
// they end in another; one role is one call; and the records are a journal.
func TestEachRegionsAndResume(t *testing.T) {
	accounts, home := fleet(t, 4)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	args := []string{"a*", "--region", "eu-west-1,us-east-1,ap-south-1", "--no-cache", "--format", "jsonl"}
	code, out, errs := runEach(t, home, sts.URL, append(args, "--", "sh", "-c", `test {region} != eu-west-1 || sleep 0.3; test {profile}{region} != a00002us-east-1; echo "{region} $AWS_REGION $AWS_DEFAULT_REGION"`)...)
	var order []string
	for _, r := range readRecords(t, []byte(out)) {
		order = append(order, r.Profile+r.Region)
		if r.Stdout != r.Region+" "+r.Region+" "+r.Region+"\n" {
			t.Errorf("%+v", r)
		}
	}
	if code != 0 || len(order) != 12 || order[0] != "a00000eu-west-1" || order[5] != "a00001ap-south-1" || order[11] != "a00003ap-south-1" {
		t.Errorf("exit %d: %v: %s", code, order, errs)
	}
	if n := sts.Count("AssumeRole"); n != 4 {
		t.Errorf("%d calls for 4 roles", n)
	}
	// The records without one line, and with a failure, as a journal.
	lines := strings.SplitAfter(out, "\n")
	lines[5] = strings.Replace(lines[5], `"exit_code":0`, `"exit_code":9`, 1)
	if err := os.WriteFile(filepath.Join(home, "done"), []byte(strings.Join(append(lines[:2:2], lines[3:]...), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = runEach(t, home, sts.URL, append(args, "--resume", "done", "--", "echo", "again")...)
	records := readRecords(t, []byte(out))
	if code != 0 || len(records) != 2 || records[0].Region != "ap-south-1" || records[0].Profile != "a00000" || records[1].Profile != "a00001" || !strings.Contains(errs, "10 of 12 are done") {
		t.Errorf("exit %d: %+v: %s", code, records, errs)
	}
	raw, _ := os.ReadFile(filepath.Join(home, "done"))
	if n := len(readRecords(t, raw)); n != 12 {
		t.Errorf("%d records in the journal", n)
	}
	// A profile's own region counts as well: what --format jsonl said is a journal.
	code, out, _ = runEach(t, home, sts.URL, "a*", "--format", "jsonl", "--", "true")
	_ = os.WriteFile(filepath.Join(home, "own"), []byte(out), 0o600)
	if again, out, errs := runEach(t, home, sts.URL, "a*", "--format", "jsonl", "--resume", "own", "--", "true"); code+again != 0 || out != "" {
		t.Errorf("exit %d: %s%s", again, out, errs)
	}
}

// Two runs at one journal would lose each other's records: the second is refused.
func TestEachJournalIsOneRuns(t *testing.T) {
	accounts, home := fleet(t, 2)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--resume", "j", "--", "sh", "-c", "echo x >>begun; while ! test -e go; do sleep 0.02; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForLines(t, filepath.Join(home, "begun"), 2)
	code, _, errs := runEach(t, home, sts.URL, "a*", "--resume", "j", "--", "true")
	if code != exitConfiguration || !strings.Contains(errs, "another run") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if err := os.WriteFile(filepath.Join(home, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(home, "j.lock")); err == nil {
		t.Error("the lock is left behind")
	}
	raw, _ := os.ReadFile(filepath.Join(home, "j"))
	if n := len(readRecords(t, raw)); n != 2 {
		t.Errorf("%d records", n)
	}
}

// The shard of the environment counts, is told of, and plans are of all.
func TestEachShardOfTheEnvironment(t *testing.T) {
	accounts, home := fleet(t, 20)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	seen := map[string]int{}
	for _, part := range []string{"1/3", "2/3", "3/3"} {
		cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--format", "jsonl", "--", "true")
		cmd.Env = append(cmd.Env, "CROSSROLE_SHARD="+part)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil || !strings.Contains(errs.String(), "shard "+part) {
			t.Errorf("%v: %s", err, errs.String())
		}
		for _, r := range readRecords(t, out) {
			seen[r.Account]++
		}
		plan := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--plan-matrix", "--per-shard", "20")
		plan.Env = append(plan.Env, "CROSSROLE_SHARD="+part)
		if out, err := plan.Output(); err != nil || string(out) != `{"include":[{"shard":"1/1","accounts":20}]}`+"\n" {
			t.Errorf("%v: %s", err, out)
		}
	}
	if len(seen) != 20 {
		t.Errorf("%d of 20 accounts", len(seen))
	}
	for account, times := range seen {
		if times != 1 {
			t.Errorf("%s: %d times", account, times)
		}
	}
}
