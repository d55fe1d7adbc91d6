package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestExamplesAreRehearsed holds each example to the expectations beside it.
func TestExamplesAreRehearsed(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/rehearsal.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		t.Run(filepath.Base(filepath.Dir(f)), func(t *testing.T) {
			var out, errs bytes.Buffer
			a := &app{out: &out, err: &errs, getenv: func(string) string { return "" }, now: time.Now, outIsTerminal: func() bool { return false }}
			if code := execute(t.Context(), a, []string{"rehearse", "--check", f}); code != 0 {
				t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
			}
			if errs.Len() > 0 {
				t.Errorf("warnings: %s", errs.String())
			}
		})
	}
}

// TestRehearseServesUntilInterrupted reads the lines for eval, calls the endpoint, and looks that nothing is left.
func TestRehearseServesUntilInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	account := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(account, []byte(`{"AccountId":"111111111111","UserDetailList":[{"UserName":"A-san"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var errs bytes.Buffer
	a := &app{out: w, err: &errs, getenv: func(string) string { return "" }, now: time.Now, outIsTerminal: func() bool { return false }}
	done := make(chan int, 1)
	go func() { done <- execute(ctx, a, []string{"rehearse", "--account", account, "--format", "env"}) }()

	vars := map[string]string{}
	line := regexp.MustCompile(`^export (\w+)='(.*)';$`)
	in := bufio.NewScanner(r)
	for len(vars) < 8 && in.Scan() {
		if m := line.FindStringSubmatch(in.Text()); m != nil {
			vars[m[1]] = m[2]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	keys, err := os.ReadFile(vars["AWS_SHARED_CREDENTIALS_FILE"])
	if err != nil || !strings.Contains(string(keys), "[A-san]\naws_access_key_id = AKIA") || !strings.Contains(string(keys), "[root@111111111111]") {
		t.Errorf("credentials file: %v\n%s", err, keys)
	}
	if info, err := os.Stat(filepath.Dir(vars["AWS_CONFIG_FILE"])); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the folder: %v %v", info, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, vars["AWS_ENDPOINT_URL_STS"]+"/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !strings.Contains(string(body), "MissingAuthenticationToken") {
		t.Errorf("%s", body)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
