//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

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
}

// --write-profiles writes all that it may, and leaves what would be lost.
func TestEachWritesProfiles(t *testing.T) {
	const n = 200
	accounts, home := fleet(t, n)
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	path := filepath.Join(home, ".aws", "credentials")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mine := string(before) + "# mine\n[a00003-session]\naws_access_key_id = AKIAEXAMPLE0MINE0001\naws_secret_access_key = mine\n"
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runEach(t, home, sts.URL, "a*", "--write-profiles")
	if code != exitFailed || !strings.Contains(errs, "199 of 200 done") || !strings.Contains(errs, "a00003-session") || !strings.Contains(errs, "it holds long-term keys") {
		t.Errorf("exit %d: %s", code, errs)
	}
	after, err := os.ReadFile(path)
	if text := string(after); err != nil || !strings.HasPrefix(text, mine) || strings.Count(text, "-session]\n") != n || strings.Count(text, "aws_session_token = ") != n-1 {
		t.Errorf("%v: %d sections, %d tokens", err, strings.Count(text, "-session]\n"), strings.Count(text, "aws_session_token = "))
	}
}
