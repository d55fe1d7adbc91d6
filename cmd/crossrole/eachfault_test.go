//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// runEach runs each to its end.
func runEach(t *testing.T, home, url string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := crossrole(t.Context(), t, home, url, append([]string{"each"}, args...)...)
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func setProfiles(t *testing.T, home, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, ".aws", "config"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func waitForLines(t *testing.T, path string, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if raw, _ := os.ReadFile(path); bytes.Count(raw, []byte("\n")) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never had %d lines", path, n)
		}
	}
}

// gone waits until no process of the list lives.
func gone(t *testing.T, pids string) {
	t.Helper()
	raw, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(string(raw)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
			if state, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); bytes.Contains(state, []byte(") Z ")) {
				break // its parent is gone, and nobody here reaps
			}
			if time.Now().After(deadline) {
				t.Errorf("process %d lives on", pid)
				break
			}
		}
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
	if code, took := cmd.ProcessState.ExitCode(), time.Since(start); code != exitInterrupted || took > stopGrace {
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

// What could not be written is no success, though the command ignores it.
func TestEachFullDiskIsNoSuccess(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	accounts, home := fleet(t, 3)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	if err := os.MkdirAll(filepath.Join(home, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(home, "out", "a00001.out")); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runEach(t, home, sts.URL, "a*", "--output", "dir=out", "--", "sh", "-c", "echo text; exit 0")
	if code != exitFailed || !strings.Contains(errs, "2 of 3 done") || !strings.Contains(errs, "no space left") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// A journal that can't be written is told once, and what has no end is none.
func TestEachJournalThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	j := &journal{file: file}
	if err := j.add(&outcome{}); err == nil || !strings.Contains(err.Error(), "writing the journal") {
		t.Errorf("%v", err)
	}
	if err := j.add(&outcome{}); err != nil {
		t.Errorf("told again: %v", err)
	}
	if _, _, err := readJournal("/dev/zero"); exitCode(err) != exitConfiguration {
		t.Errorf("/dev/zero: %v", err)
	}
}

// What is left running in the background holds nobody up, however the output
// is taken; nor does a command that closes its output and works on.
func TestEachChildThatLingers(t *testing.T) {
	accounts, home := fleet(t, 3)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	for _, mode := range []string{"grouped", "prefix", "dir=out"} {
		start := time.Now()
		code, out, errs := runEach(t, home, sts.URL, "a*", "--output", mode, "--", "sh", "-c", "sleep 20 & echo $! >>pids; echo said")
		if took := time.Since(start); code != 0 || took > 10*time.Second {
			t.Errorf("%s: exit %d after %v: %s", mode, code, took, errs)
		}
		if mode != "dir=out" && strings.Count(out, "said") != 3 {
			t.Errorf("%s: %q", mode, out)
		}
	}
	raw, _ := os.ReadFile(filepath.Join(home, "pids"))
	for _, text := range strings.Fields(string(raw)) {
		if pid, err := strconv.Atoi(text); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	code, out, _ := runEach(t, home, sts.URL, "a*", "--format", "jsonl", "--", "sh", "-c", "echo first; exec >&- 2>&-; sleep 0.2; exit 7")
	for _, r := range readRecords(t, []byte(out)) {
		if code != exitFailed || r.ExitCode != 7 || r.Stdout != "first\n" || r.Seconds < 0.2 {
			t.Errorf("%+v", r)
		}
	}
}

// Children get an empty standard input: ours may be the list of accounts.
func TestEachStandardInput(t *testing.T) {
	accounts, home := fleet(t, 3)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	cmd := crossrole(t.Context(), t, home, sts.URL, "each", "--accounts", "-", "--role", "Audit", "--source-profile", "A-san", "--format", "jsonl",
		"--", "sh", "-c", "cat; echo {account}")
	cmd.Stdin = strings.NewReader("200000000001\r\n\n200000000001\n# nothing\n 200000000002 # two\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	records := readRecords(t, out)
	if len(records) != 2 || records[0].Stdout != "200000000001\n" || records[1].Stdout != "200000000002\n" {
		t.Errorf("%+v", records)
	}
}

// Lines behind their names: one without end comes in pieces, none is lost, and
// a name can't drive the terminal.
func TestEachPrefix(t *testing.T) {
	_, home := fleet(t, 1)
	accounts, _ := fleet(t, 1)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	setProfiles(t, home, "[profile b]\nrole_arn = arn:aws:iam::200000000000:role/Audit\nsource_profile = A-san\n")
	code, out, errs := runEach(t, home, sts.URL, "b", "--output", "prefix", "--", "sh", "-c", "printf 'one\\n\\ntwo\\rthree\\n'; head -c 1000000 /dev/zero | tr '\\0' x; printf 'e\\303\\251' >&2")
	if code != 0 || !strings.HasPrefix(out, "[b] one\n[b] \n[b] two\rthree\n[b] xxx") || strings.Count(out, "x") != 1000000 || !strings.Contains(errs, "[b] eé\n") {
		t.Errorf("exit %d: %.60q…: %q", code, out, errs)
	}
	for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
		if !strings.HasPrefix(line, "[b] ") {
			t.Fatalf("line %d: %.40q", i, line)
		}
	}
	if label := (target{profile: "a\x1b[31m", region: "\x07"}).label(); strings.ContainsAny(label, "\x1b\x07") {
		t.Errorf("%q", label)
	}
}

// --fail-fast ends the others; --retries tries again what may pass, and never
// a refusal or a command that is not there.
func TestEachFailFastAndRetries(t *testing.T) {
	accounts, home := fleet(t, 30)
	var refused atomic.Int32
	deny := localsts.Fail(http.StatusForbidden, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on resource: y")
	sts := localsts.StartTest(t, localsts.Options{Hook: func(w http.ResponseWriter, r *http.Request, action string) bool {
		if !strings.Contains(r.FormValue("RoleArn"), "0007:role") {
			return false
		}
		refused.Add(1)
		return deny(w, r, action)
	}}, accounts...)
	start := time.Now()
	code, _, errs := runEach(t, home, sts.URL, "a*", "--parallel", "4", "--fail-fast", "--", "sh", "-c", "test {profile} != a00002 || exit 6; sleep 0.3; echo {profile} >>begun")
	if code != exitFailed || !strings.Contains(errs, "exit 6") || !strings.Contains(errs, "not begun") || time.Since(start) > 15*time.Second {
		t.Errorf("exit %d after %v: %s", code, time.Since(start), errs)
	}
	code, out, errs := runEach(t, home, sts.URL, "a0000*", "--retries", "2", "--format", "jsonl", "--", "sh", "-c",
		"echo x >>tries-{profile}; test {profile} != a00001 || test $(wc -l <tries-{profile}) -ge 3")
	if code != exitFailed || refused.Load() != 1 {
		t.Errorf("exit %d, asked %d times: %s", code, refused.Load(), errs)
	}
	for _, r := range readRecords(t, []byte(out)) {
		want := exitDone
		if r.Profile == "a00007" {
			want = exitDenied
		}
		if r.ExitCode != want || (r.Profile == "a00001") != (r.Seconds > 1) {
			t.Errorf("%+v", r)
		}
	}
	before := sts.Count("AssumeRole")
	code, out, _ = runEach(t, home, sts.URL, "a0001*", "--retries", "5", "--no-cache", "--format", "jsonl", "--", "no-such-command-anywhere")
	for _, r := range readRecords(t, []byte(out)) {
		if code != exitFailed || r.ExitCode != 127 || !strings.Contains(r.Error, "not found") {
			t.Errorf("%+v", r)
		}
	}
	if sts.Count("AssumeRole") != before {
		t.Error("credentials were fetched for a command that is not there")
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

// A source that has to be asked (a process, here) is asked once for all, and
// so is each inner hop, with a cache and without.
func TestEachSharesSourceAndHops(t *testing.T) {
	accounts, home := fleet(t, 60)
	hop, err := localsts.LoadAccount(strings.NewReader(`{"AccountId":"300000000000","RoleDetailList":[{"RoleName":"Hub","AssumeRolePolicyDocument":
		{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole"}]},
		"RolePolicyList":[{"PolicyName":"p","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}}]}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	script := filepath.Join(home, "source")
	fmt.Fprintf(&config, "[profile src]\ncredential_process = %s\n[profile hub]\nrole_arn = arn:aws:iam::300000000000:role/Hub\nsource_profile = src\n", script)
	for i := range 30 {
		region := []string{"eu-west-1", "us-east-1", "ap-south-1"}[i%3]
		fmt.Fprintf(&config, "[profile near-%d]\nrole_arn = arn:aws:iam::2%011d:role/Audit\nsource_profile = src\nregion = %s\n", i, i, region)
		fmt.Fprintf(&config, "[profile far-%d]\nrole_arn = arn:aws:iam::2%011d:role/Audit\nsource_profile = hub\nregion = %s\nrole_session_name = far\n", i, i, region)
	}
	setProfiles(t, home, config.String())
	text := "#!/bin/sh\necho x >>" + home + "/asked\nsleep 0.2\ncat <<'E'\n" +
		`{"Version":1,"AccessKeyId":"` + localsts.ExampleKeyID + `","SecretAccessKey":"` + localsts.ExampleSecret + `"}` + "\nE\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--no-cache"}, {"--refresh"}} {
		_ = os.Remove(filepath.Join(home, "asked"))
		sts := localsts.StartTest(t, localsts.Options{}, append(accounts, hop)...)
		code, _, errs := runEach(t, home, sts.URL, append([]string{"near-*"}, args...)...)
		if n := sts.Count("AssumeRole"); code != 0 || n != 30 {
			t.Errorf("%v: near: exit %d, %d calls: %s", args, code, n, errs)
		}
		code, _, errs = runEach(t, home, sts.URL, append([]string{"far-*"}, args...)...)
		// The roles trust 111111111111 alone, so those behind the hub are refused; the hub is called once.
		if n := sts.Count("AssumeRole"); code != exitFailed || n != 30+1+30 || !strings.Contains(errs, "    30  exit 4") {
			t.Errorf("%v: far: exit %d, %d calls: %s", args, code, n, errs)
		}
		if raw, _ := os.ReadFile(filepath.Join(home, "asked")); bytes.Count(raw, []byte("\n")) != 2 {
			t.Errorf("%v: the source was asked %d times in two runs", args, bytes.Count(raw, []byte("\n")))
		}
	}
}

// A profile whose source needs a person fails alone: others go on.
func TestEachPersonStopsOnlyTheirOwn(t *testing.T) {
	accounts, home := fleet(t, 6)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	raw, err := os.ReadFile(filepath.Join(home, ".aws", "config"))
	if err != nil {
		t.Fatal(err)
	}
	setProfiles(t, home, strings.Replace(string(raw), "region =", "mfa_serial = "+localsts.ExampleMFASerial+"\nregion =", 1))
	code, _, errs := runEach(t, home, sts.URL, "a*", "--no-input")
	if code != exitFailed || !strings.Contains(errs, "5 of 6 done") || !strings.Contains(errs, "1  exit 5") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// AWS throttles everybody for a while: all get there, and none calls in vain
// again and again.
func TestEachWaitsForAThrottlingAWS(t *testing.T) {
	accounts, home := fleet(t, 100)
	var begun atomic.Int64
	var throttled atomic.Int32
	throttle := localsts.Throttle()
	sts := localsts.StartTest(t, localsts.Options{Hook: func(w http.ResponseWriter, r *http.Request, action string) bool {
		now := time.Now().UnixMilli()
		begun.CompareAndSwap(0, now)
		if now-begun.Load() > 3000 {
			return false
		}
		throttled.Add(1)
		return throttle(w, r, action)
	}}, accounts...)
	code, _, errs := runEach(t, home, sts.URL, "a*", "--parallel", "32", "--timeout", "6s")
	if code != 0 || throttled.Load() > 6*32 {
		t.Errorf("exit %d, %d throttled: %s", code, throttled.Load(), errs)
	}
}

// Accounts of the organization: suspended ones are left out, and those that
// --exclude names by ID or name; the list and the roles need one code.
func TestEachOrganization(t *testing.T) {
	accounts, home := fleet(t, 5)
	var codes atomic.Int32
	sts := localsts.StartTest(t, localsts.Options{Hook: func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.FormValue("TokenCode") != "" {
			codes.Add(1)
		}
		return false
	}}, accounts...)
	var deny atomic.Bool
	org := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ NextToken string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		switch {
		case deny.Load():
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"AccessDeniedException","Message":"no"}`))
		case in.NextToken == "":
			_, _ = w.Write([]byte(`{"Accounts":[{"Id":"200000000000","Name":"zero","Status":"ACTIVE"},{"Id":"200000000001","Name":"one","Status":"SUSPENDED"}],"NextToken":"n"}`))
		default:
			_, _ = w.Write([]byte(`{"Accounts":[{"Id":"200000000002","Name":"sand-two","Status":"ACTIVE"},{"Id":"200000000003","Name":"\u001b[31mthree","Status":"ACTIVE"},
				{"Id":"200000000004","Name":"four","Status":"ACTIVE"}]}`))
		}
	}))
	defer org.Close()
	run := func(args ...string) (int, []record, string) {
		cmd := crossrole(t.Context(), t, home, sts.URL, append([]string{"each", "--org", "--role", "Audit", "--source-profile", "A-san", "--format", "jsonl", "--no-cache"}, args...)...)
		cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL_ORGANIZATIONS="+org.URL)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), readRecords(t, out.Bytes()), errs.String()
	}
	code, records, errs := run("--exclude", "200000000003", "--exclude", "sand-*", "--mfa-serial", localsts.ExampleMFASerial, "--mfa-code", exampleCode(t))
	if code != 0 || len(records) != 2 || records[0].Account != "200000000000" || records[1].Account != "200000000004" || codes.Load() != 1 {
		t.Errorf("exit %d, %d codes: %+v: %s", code, codes.Load(), records, errs)
	}
	if code, records, errs = run("--exclude", "*"); code != exitConfiguration || len(records) != 0 {
		t.Errorf("nobody left: exit %d: %s", code, errs)
	}
	deny.Store(true)
	if code, records, errs = run(); code != exitDenied || len(records) != 0 || !strings.Contains(errs, "organizations:ListAccounts") {
		t.Errorf("denied: exit %d: %+v: %s", code, records, errs)
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

// The calls and connections of many accounts: one call each, and no more
// connections than calls at once.
func TestEachConnections(t *testing.T) {
	const n, parallel = 300, 16
	accounts, home := fleet(t, n)
	raw, err := os.ReadFile(filepath.Join(home, ".aws", "config"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "region = eu-west-1")
	var config strings.Builder
	for i, line := range lines[:n] {
		config.WriteString(line + "region = " + []string{"eu-west-1", "us-east-1"}[i%2])
	}
	setProfiles(t, home, config.String()+"\n")
	server, url, opened := countingSTS(t, accounts, localsts.Latency(5*time.Millisecond))
	code, _, errs := runEach(t, home, url, "a*", "--parallel", strconv.Itoa(parallel), "--no-cache")
	if calls := server.Count("AssumeRole"); code != 0 || calls != n || opened.Load() > parallel+1 {
		t.Errorf("exit %d, %d calls, %d connections: %s", code, calls, opened.Load(), errs)
	}
}

// countingSTS is a local STS that counts the connections it gets.
func countingSTS(t *testing.T, accounts []*localsts.Account, hook localsts.Hook) (server *localsts.Server, url string, opened *atomic.Int32) {
	t.Helper()
	world, err := localsts.NewWorld(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	if server, err = localsts.New(world, localsts.Options{Hook: hook}); err != nil {
		t.Fatal(err)
	}
	opened = &atomic.Int32{}
	srv := httptest.NewUnstartedServer(server)
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return server, srv.URL, opened
}
