//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

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
// again and again. (TestHalfAMinuteOfThrottling of package assume has the while
// that is promised, on a simulated clock.)
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
