//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/each"
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

// runEach runs each to its end.
func runEach(t *testing.T, home, url string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := crossrole(t.Context(), t, home, url, append([]string{"each"}, args...)...)
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func readRecords(t *testing.T, raw []byte) []each.Record {
	t.Helper()
	var list []each.Record
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r each.Record
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
