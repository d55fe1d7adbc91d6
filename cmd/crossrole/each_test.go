//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crossrole/internal/each"
	"crossrole/internal/localsts"
)

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
	run := func(args ...string) (int, []each.Record, string) {
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

// Who plays STS plays the rest of AWS: the keys of a rehearsal are not sent to
// the real Organizations.
func TestEachOrganizationOfARehearsal(t *testing.T) {
	accounts, home := fleet(t, 2)
	world, err := localsts.NewWorld(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	sts, err := localsts.New(world, localsts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListAccounts") {
			_, _ = w.Write([]byte(`{"Accounts":[{"Id":"200000000001","Name":"one","Status":"ACTIVE"}]}`))
			return
		}
		sts.ServeHTTP(w, r)
	}))
	defer srv.Close()
	code, out, errs := runEach(t, home, srv.URL, "--org", "--role", "Audit", "--source-profile", "A-san", "--format", "jsonl")
	if records := readRecords(t, []byte(out)); code != 0 || len(records) != 1 || records[0].Account != "200000000001" {
		t.Errorf("exit %d: %+v: %s", code, records, errs)
	}
}
