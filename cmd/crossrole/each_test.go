//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// fleet is n accounts with a role Audit each, that A-san of account
// 111111111111 may assume, and a home folder whose profiles name them.
func fleet(t testing.TB, n int) (accounts []*localsts.Account, home string) {
	t.Helper()
	load := func(text string) *localsts.Account {
		a, err := localsts.LoadAccount(strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	accounts = append(accounts, load(`{"AccountId":"111111111111","UserDetailList":[{"UserName":"A-san","UserPolicyList":[{"PolicyName":"p","PolicyDocument":
		{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}}],
		"AccessKeys":[{"AccessKeyId":"`+localsts.ExampleKeyID+`","SecretAccessKey":"`+localsts.ExampleSecret+`"}],
		"MFADevices":[{"SerialNumber":"`+localsts.ExampleMFASerial+`","Base32StringSeed":"`+localsts.ExampleMFASeed+`"}]}]}`))
	var config strings.Builder
	for i := range n {
		id := fmt.Sprintf("2%011d", i)
		accounts = append(accounts, load(`{"AccountId":"`+id+`","RoleDetailList":[{"RoleName":"Audit","MaxSessionDuration":3600,"AssumeRolePolicyDocument":
			{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}]}}]}`))
		fmt.Fprintf(&config, "[profile a%05d]\nrole_arn = arn:aws:iam::%s:role/Audit\nsource_profile = A-san\nregion = eu-west-1\n", i, id)
	}
	home = t.TempDir()
	for name, text := range map[string]string{
		"config":      config.String(),
		"credentials": "[A-san]\naws_access_key_id = " + localsts.ExampleKeyID + "\naws_secret_access_key = " + localsts.ExampleSecret + "\n",
	} {
		path := filepath.Join(home, ".aws", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return accounts, home
}

// crossrole is the program, in an environment of its own.
func crossrole(ctx context.Context, t testing.TB, home, url string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// testscript.Main runs a command by the name it is called by.
	link := filepath.Join(t.TempDir(), "crossrole")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, link, args...)
	cmd.Env = append(instruments(), "HOME="+home, "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL_STS="+url, "CROSSROLE_CACHE=file")
	cmd.Dir = home
	return cmd
}

func readRecords(t *testing.T, raw []byte) []record {
	t.Helper()
	var list []record
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		list = append(list, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// faults makes some accounts answer badly, each in its own way, for ever.
func faults() localsts.Hook {
	deny := localsts.Fail(http.StatusForbidden, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on resource: y")
	throttle := localsts.First(30, localsts.Throttle())
	garbage := localsts.Garbage(http.StatusOK, "<html>")
	hang := localsts.Latency(time.Minute)
	return func(w http.ResponseWriter, r *http.Request, action string) bool {
		arn := r.FormValue("RoleArn")
		switch {
		case strings.Contains(arn, "003:role"):
			return deny(w, r, action)
		case strings.Contains(arn, "7:role"):
			return throttle(w, r, action)
		case strings.Contains(arn, "005:role"):
			return garbage(w, r, action)
		case strings.Contains(arn, "0099:role"):
			return hang(w, r, action)
		}
		return false
	}
}

// A thousand accounts of which some deny, throttle, hang or answer garbage:
// each is reported as itself, in the order of the accounts.
func TestEachOfAThousandIsReportedAsItself(t *testing.T) {
	const n = 1000
	accounts, home := fleet(t, n)
	sts := localsts.StartTest(t, localsts.Options{Hook: faults()}, accounts...)
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--format", "jsonl", "--timeout", "8s", "--no-cache")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != exitFailed {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	records := readRecords(t, out)
	if len(records) != n {
		t.Fatalf("%d records\n%s", len(records), errs.String())
	}
	for i, r := range records {
		want, says := exitDone, ""
		switch suffix := r.Account[8:]; {
		case strings.HasSuffix(suffix, "003"):
			want, says = exitDenied, "is denied sts:AssumeRole"
		case strings.HasSuffix(suffix, "005"):
			want, says = exitFailed, "assuming"
		case suffix == "0099":
			want, says = exitFailed, "no answer within 8s"
		}
		if r.Profile != fmt.Sprintf("a%05d", i) || r.ExitCode != want || !strings.Contains(r.Error, says) {
			t.Errorf("record %d: %+v, want exit %d with %q", i, r, want, says)
		}
	}
	if text := errs.String(); !strings.Contains(text, "997 of 1000 done") || !strings.Contains(text, "1  exit 4") {
		t.Errorf("summary: %s", text)
	}
}

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
	deadline := time.Now().Add(20 * time.Second)
	for lines := 0; lines < 20; {
		raw, _ := os.ReadFile(journal)
		lines = bytes.Count(raw, []byte("\n"))
		if time.Now().After(deadline) {
			t.Fatal("the journal does not grow")
		}
		time.Sleep(5 * time.Millisecond)
	}
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

// Two hundred children at once never share a variable, and their output is
// whole, binary or large as it may be.
func TestEachChildIsItsOwn(t *testing.T) {
	const n = 200
	accounts, home := fleet(t, n)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	script := `test "$CROSSROLE_ACCOUNT" = {account} && test "$CROSSROLE_PROFILE" = {profile} && test "$AWS_ACCOUNT_ID" = {account} || exit 9
		test -z "$AWS_PROFILE$CROSSROLE_CACHE" || exit 8
		case {profile} in a00001) yes 0123456789abcdef | head -c 3000000;; a00002) printf 'a\377b\000c';; *) echo "$AWS_ACCESS_KEY_ID";; esac`
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--parallel", "200", "--format", "jsonl", "--", "sh", "-c", script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for i, r := range readRecords(t, out) {
		switch i {
		case 1:
			if len(r.Stdout) != 3000000 {
				t.Errorf("%d bytes of 3000000", len(r.Stdout))
			}
		case 2:
			if r.Stdout != "a\ufffdb\x00c" {
				t.Errorf("binary: %q", r.Stdout)
			}
		default:
			keys[r.Stdout] = true
		}
	}
	if len(keys) != n-2 {
		t.Errorf("%d different keys for %d accounts", len(keys), n-2)
	}
}

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
	deadline := time.Now().Add(20 * time.Second)
	for begun := 0; begun < 3; {
		raw, _ := os.ReadFile(pids)
		begun = bytes.Count(raw, []byte("\n"))
		if time.Now().After(deadline) {
			t.Fatal("no child began")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || time.Since(start) > 4*stopGrace {
		t.Errorf("exit %d after %v", code, time.Since(start))
	}
	if text := errs.String(); !strings.Contains(text, "17 not begun") {
		t.Errorf("summary: %s", text)
	}
}

// A full disk under dir= is that account's failure, and no other's.
func TestEachFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	accounts, home := fleet(t, 3)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	dir := filepath.Join(home, "out")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, "a00001.out")); err != nil {
		t.Fatal(err)
	}
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--output", "dir="+dir, "--", "sh", "-c", "echo text || exit 3")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "2 of 3 done") {
		t.Errorf("exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "a00002.out")); err != nil || string(raw) != "text\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

// One code serves all accounts; without anybody to ask the run ends at once,
// with the exit code that says so.
func TestEachAsksForOneCode(t *testing.T) {
	accounts, home := fleet(t, 40)
	var asked atomic.Int32
	sts := localsts.StartTest(t, localsts.Options{Hook: func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.FormValue("TokenCode") != "" {
			asked.Add(1)
		}
		return false
	}}, accounts...)
	config := filepath.Join(home, ".aws", "config")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte("region ="), []byte("mfa_serial = "+localsts.ExampleMFASerial+"\nregion ="))
	if err := os.WriteFile(config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--no-input")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitPerson {
		t.Errorf("nobody to ask: exit %d: %s", cmd.ProcessState.ExitCode(), out)
	}
	cmd = crossrole(t.Context(), t, home, sts.URL, "each", "a*", "--mfa-code", exampleCode(t))
	if out, err := cmd.CombinedOutput(); err != nil || asked.Load() != 1 {
		t.Errorf("%d codes sent: %v\n%s", asked.Load(), err, out)
	}
}

func TestShards(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 50} {
		sizes := make([]int, n)
		for i := range 5000 {
			in := 0
			for k := range n {
				if (shard{k + 1, n}).has(fmt.Sprintf("%012d", int64(100000000000)+int64(i))) {
					in++
					sizes[k]++
				}
			}
			if in != 1 {
				t.Fatalf("account %d is in %d shards of %d", i, in, n)
			}
		}
		for k, size := range sizes {
			if mean := 5000 / n; size < mean/2 || size > 2*mean {
				t.Errorf("shard %d/%d has %d of 5000", k+1, n, size)
			}
		}
	}
}

func TestShardOfEngines(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want shard
	}{
		"batch":      {map[string]string{"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "4"}, shard{1, 4}},
		"kubernetes": {map[string]string{"JOB_COMPLETION_INDEX": "3", "JOB_COMPLETIONS": "4"}, shard{4, 4}},
		"slurm": {map[string]string{
			"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "10",
			"SLURM_ARRAY_TASK_STEP": "2",
		}, shard{3, 3}},
		"gitlab":    {map[string]string{"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"}, shard{1, 5}},
		"circleci":  {map[string]string{"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "5"}, shard{1, 5}},
		"buildkite": {map[string]string{"BUILDKITE_PARALLEL_JOB": "4", "BUILDKITE_PARALLEL_JOB_COUNT": "5"}, shard{5, 5}},
		"github":    {map[string]string{"STRATEGY_JOB_INDEX": "1", "STRATEGY_JOB_TOTAL": "2"}, shard{2, 2}},
		"no total":  {map[string]string{"JOB_COMPLETION_INDEX": "3"}, shard{}},
		"too far":   {map[string]string{"CIRCLE_NODE_INDEX": "5", "CIRCLE_NODE_TOTAL": "5"}, shard{}},
		"no number": {map[string]string{"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "5"}, shard{}},
		"nothing":   {nil, shard{}},
	} {
		a := &app{getenv: func(k string) string { return c.env[k] }}
		got, err := a.parseShard("auto")
		if got != c.want || (err != nil) != (c.want == shard{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestFileNamesStayInTheFolder(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"a", "../a", "..", ".", "a/b", "a b", "a\x00b", "%2F", "/etc/passwd", "-rf", "é", "a.b"} {
		got := fileName(target{profile: name})
		if strings.ContainsAny(got, "/\\\x00 ") || got == "." || got == ".." || strings.HasPrefix(got, ".") {
			t.Errorf("%q: %q", name, got)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%q and %q share %q", name, other, got)
		}
		seen[got] = name
	}
}
