package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// Two users of one machine. They need no account: the kernel knows numbers.
const (
	victim   = 61001
	stranger = 61002
)

// machine is a place that both users reach, with crossrole in it, and a home for the victim.
type machine struct {
	dir, program, home, shared string
	env                        []string
}

// newMachine needs root, who alone can be two users.
func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	dir, err := os.MkdirTemp("/tmp", "crossrole-strangers-") //nolint:usetesting // the users must be able to reach it
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	m := &machine{dir: dir, program: filepath.Join(dir, "crossrole"), home: filepath.Join(dir, "home"), shared: filepath.Join(dir, "shared")}
	self, err := os.ReadFile(os.Args[0])
	must(t, err)
	must(t, os.WriteFile(m.program, self, 0o755))
	sts := localsts.StartTest(t, localsts.Options{})
	must(t, os.MkdirAll(filepath.Join(m.home, ".aws"), 0o755)) // as useradd and the AWS CLI make them
	m.give(t, ".aws/config", "[profile prod]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = keys\nregion = us-east-1\n")
	m.give(t, ".aws/credentials", "[keys]\naws_access_key_id = "+localsts.ExampleKeyID+"\naws_secret_access_key = "+localsts.ExampleSecret+"\n")
	for _, path := range []string{m.home, filepath.Join(m.home, ".aws")} {
		must(t, os.Chown(path, victim, victim))
	}
	m.env = append(instruments(), "HOME="+m.home, "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL_STS="+sts.URL)
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) give(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(m.home, name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	must(t, os.Chown(path, victim, victim))
}

// share makes the shared folder anew.
func (m *machine) share(t *testing.T, mode os.FileMode, owner int) {
	t.Helper()
	must(t, os.RemoveAll(m.shared))
	must(t, os.Mkdir(m.shared, 0o700))
	must(t, os.Chown(m.shared, owner, owner))
	must(t, os.Chmod(m.shared, mode))
}

// as prepares a command of one of the users.
func (m *machine) as(ctx context.Context, uid int, env []string, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = "/", append(append([]string(nil), m.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	cmd.WaitDelay = time.Second
	return cmd
}

// loot is every file that the stranger can read and that holds the secret; this test itself is not asked.
func (m *machine) loot(t *testing.T, secret string) string {
	t.Helper()
	out, _ := m.as(t.Context(), stranger, nil, "grep", "-rlaF", "--devices=skip", "--exclude=crossrole", "-e", secret, m.dir).Output() // 1: none
	return string(out)
}

// A cache where somebody else has put something is not used; the run goes on, and leaves nothing that they can read.
func TestStrangersPlantInTheCache(t *testing.T) {
	m := newMachine(t)
	elsewhere := filepath.Join(m.dir, "elsewhere")
	for _, c := range []struct {
		folder string
		mode   os.FileMode
		owner  int
	}{{"like /tmp", 0o777 | os.ModeSticky, 0}, {"everybody's", 0o777, 0}, {"the stranger's", 0o777, stranger}} {
		for plant, words := range map[string][]string{
			"nothing": {"true"}, "folder": {"mkdir", "-m", "0777"}, "link": {"ln", "-s", elsewhere}, "pipe": {"mkfifo", "-m", "0666"}, "file": {"touch"},
		} {
			m.share(t, c.mode, c.owner)
			if plant != "nothing" {
				must(t, m.as(t.Context(), stranger, nil, append(words, filepath.Join(m.shared, "crossrole"))...).Run())
			}
			said, secret := m.assume(t, "XDG_CACHE_HOME="+m.shared, "CROSSROLE_CACHE=file")
			if strings.Contains(said, "refusing") == (plant == "nothing") {
				t.Errorf("%s in %s folder: said %q", plant, c.folder, said)
			}
			if found := m.loot(t, secret); found != "" {
				t.Errorf("%s in %s folder: the secret is in %s", plant, c.folder, found)
			}
		}
	}
}

// assume gets credentials as the victim.
func (m *machine) assume(t *testing.T, env ...string) (said, secret string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := m.as(ctx, victim, env, m.program, "assume", "prod", "--format", "process")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var answer struct{ SecretAccessKey string }
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.SecretAccessKey == "" {
		t.Fatalf("assume: %v, %s", err, errs.String())
	}
	return errs.String(), answer.SecretAccessKey
}

// Where others can rename what is in the folder for temporary files, they could put their AWS files in the place of a
// rehearsal's, and with them a credential_process.
func TestStrangersOwnTheTemporaryFolder(t *testing.T) {
	m := newMachine(t)
	must(t, os.WriteFile(filepath.Join(m.dir, "account.json"), []byte(`{"AccountId":"111111111111","UserDetailList":[{"UserName":"u"}]}`), 0o644))
	for _, c := range []struct {
		folder string
		mode   os.FileMode
		owner  int
		want   string
	}{
		{"like /tmp", 0o777 | os.ModeSticky, 0, "200"},
		{"everybody's", 0o777, 0, "no sticky bit"},
		{"the stranger's", 0o755, stranger, "is user 61002's"},
		{"the victim's", 0o700, victim, "200"},
	} {
		m.share(t, c.mode, c.owner)
		cmd := m.as(t.Context(), victim, []string{"TMPDIR=" + m.shared}, m.program, "rehearse", "--account", filepath.Join(m.dir, "account.json"), "--", "echo", "200")
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), c.want) || (err == nil) != (c.want == "200") {
			t.Errorf("rehearse in %s folder: %v, %s", c.folder, err, out)
		}
		if c.want == "200" {
			continue
		}
		out, err = m.as(t.Context(), victim, []string{"TMPDIR=" + m.shared}, m.program, "serve", "prod").CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("serve in %s folder: %v, %s", c.folder, err, out)
		}
	}
}

// serving is a running `serve`.
type serving struct {
	cmd        *exec.Cmd
	uri, token string // the token's file
	said       *bytes.Buffer
}

func (m *machine) serve(t *testing.T, dir string, env ...string) *serving {
	t.Helper()
	s := &serving{cmd: m.as(t.Context(), victim, env, "sh", "-c", `ulimit -c "$(ulimit -Hc)"; exec "$0" serve prod`, m.program), said: &bytes.Buffer{}}
	s.cmd.Dir, s.cmd.Stderr = dir, s.said
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	must(t, s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	for lines := bufio.NewScanner(out); (s.uri == "" || s.token == "") && lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		switch name {
		case "AWS_CONTAINER_CREDENTIALS_FULL_URI":
			s.uri = value
		case "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE":
			s.token = value
		}
	}
	if s.token == "" {
		t.Fatalf("serve: %s", s.said)
	}
	return s
}

// ask is a request for credentials.
func (s *serving) ask(t *testing.T, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.uri, nil)
	must(t, err)
	req.Header.Set("Authorization", token)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(raw)
}

// Whatever another user reads of a running endpoint, neither its token nor a secret is in it.
func TestStrangersWatchAnEndpoint(t *testing.T) {
	m := newMachine(t)
	m.share(t, 0o777|os.ModeSticky, 0)
	theirs := filepath.Join(m.dir, "runtime")
	must(t, os.Mkdir(theirs, 0o700))
	must(t, os.Chown(theirs, stranger, stranger))
	s := m.serve(t, m.shared, "TMPDIR="+m.shared, "XDG_RUNTIME_DIR="+theirs) // as after su
	token, err := os.ReadFile(s.token)
	must(t, err)
	status, body := s.ask(t, string(token))
	var answer struct{ SecretAccessKey string }
	must(t, json.Unmarshal([]byte(body), &answer))
	if status != http.StatusOK || answer.SecretAccessKey == "" {
		t.Fatalf("%d %s", status, body)
	}
	secrets := []string{string(token), answer.SecretAccessKey, localsts.ExampleSecret}
	for _, secret := range secrets {
		if found := m.loot(t, secret); found != "" {
			t.Errorf("a secret is in %s", found)
		}
	}
	watched := m.watch(t, s.cmd.Process.Pid)
	for _, secret := range secrets {
		if strings.Contains(watched, secret) {
			t.Errorf("a secret is to be seen in /proc:\n%s", watched)
		}
	}
	if status, body := s.ask(t, "guess"); status != http.StatusForbidden || strings.Contains(body, answer.SecretAccessKey) {
		t.Errorf("%d %s", status, body)
	}
}

// watch is all that the stranger can read of a process.
func (m *machine) watch(t *testing.T, pid int) string {
	t.Helper()
	script := fmt.Sprintf(`cd /proc/%d && cat cmdline && for f in environ mem maps auxv stat status io syscall stack mountinfo; do timeout 2 head -c 1000000 $f; done; ls -l fd cwd; cat task/*/environ task/*/mem`, pid)
	out, _ := m.as(t.Context(), stranger, nil, "sh", "-c", script+" 2>/dev/null").Output()
	if !bytes.Contains(out, []byte("serve")) {
		t.Fatalf("the stranger does not even see the command line: %q", out)
	}
	return string(out)
}

// A crash in a folder that is everybody's leaves no secret behind that others can read, and says none.
func TestStrangersReadWhatACrashLeaves(t *testing.T) {
	m := newMachine(t)
	m.share(t, 0o777|os.ModeSticky, 0)
	s := m.serve(t, m.shared, "TMPDIR="+m.shared, "GOTRACEBACK=crash")
	token, err := os.ReadFile(s.token)
	must(t, err)
	_, body := s.ask(t, string(token))
	var answer struct{ SecretAccessKey string }
	must(t, json.Unmarshal([]byte(body), &answer))
	must(t, s.cmd.Process.Signal(syscall.SIGABRT))
	_ = s.cmd.Wait()
	if !strings.Contains(s.said.String(), "SIGABRT") {
		t.Fatalf("it did not crash: %s", s.said)
	}
	for _, secret := range []string{string(token), answer.SecretAccessKey, localsts.ExampleSecret} {
		if found := m.loot(t, secret); found != "" {
			t.Errorf("a secret is in %s", found)
		}
		if strings.Contains(s.said.String(), secret) {
			t.Error("a secret is in the trace")
		}
	}
}
