//go:build wine

// Package wine runs the Windows program as whole processes under Wine, against an STS on this machine's loopback.
// .ci/windows-test prepares what it needs.
package wine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/pquerna/otp/totp"

	"crossrole/internal/localsts"
)

const config = `[profile me]
region = eu-west-1

[profile open]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = me
region = eu-central-1

[profile mfa]
role_arn = arn:aws:iam::222222222222:role/MFA
source_profile = me
mfa_serial = arn:aws:iam::111111111111:mfa/A-san

[profile denied]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = me

[profile by-process]
credential_process = "PROGRAM" assume open --format process
`

const credentials = `[me]
aws_access_key_id = ` + localsts.ExampleKeyID + `
aws_secret_access_key = ` + localsts.ExampleSecret + `
`

// pc is a home folder and an STS of its own.
type pc struct {
	t       *testing.T
	dir     string
	sts     *localsts.TestServer
	program string
	env     []string
}

// windowsPath is a file of this machine as Wine shows it.
func windowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

func newPC(t *testing.T, options localsts.Options) *pc {
	t.Helper()
	program := os.Getenv("CROSSROLE_EXE")
	if program == "" || os.Getenv("WINEPREFIX") == "" {
		t.Fatal("run `make windows-test`: it makes CROSSROLE_EXE and WINEPREFIX")
	}
	p := &pc{t: t, dir: t.TempDir(), sts: localsts.StartTest(t, options), program: program}
	for name, text := range map[string]string{"config": strings.ReplaceAll(config, "PROGRAM", windowsPath(program)), "credentials": credentials} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(os.Environ(), "AWS_CONFIG_FILE="+windowsPath(filepath.Join(p.dir, "config")),
		"AWS_SHARED_CREDENTIALS_FILE="+windowsPath(filepath.Join(p.dir, "credentials")), "CROSSROLE_CACHE_DIR="+windowsPath(filepath.Join(p.dir, "cache")),
		"AWS_ENDPOINT_URL_STS="+p.sts.URL, "AWS_EC2_METADATA_DISABLED=true")
	return p
}

func (p *pc) command(args ...string) *exec.Cmd {
	return p.windows(p.program, args...)
}

// windows is a command that Wine runs.
func (p *pc) windows(program string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(p.t.Context(), 40*time.Second)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Getenv("WINE"), append([]string{program}, args...)...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = p.env, p.dir, 5*time.Second
	return cmd
}

type result struct {
	code     int
	out, err string
}

func (p *pc) run(cmd *exec.Cmd) result {
	p.t.Helper()
	out, errs := p.file(), p.file() // not pipes, which what Wine starts for itself would hold open
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		p.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), p.read(out.Name()), p.read(errs.Name())}
}

func (p *pc) file() *os.File {
	p.t.Helper()
	f, err := os.CreateTemp(p.dir, "stream-")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (p *pc) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *pc) crossrole(code int, args ...string) result {
	p.t.Helper()
	r := p.run(p.command(args...))
	if r.code != code {
		p.t.Fatalf("crossrole %q: exit %d, want %d\n%s%s", args, r.code, code, r.out, r.err)
	}
	if code != 0 && r.out != "" {
		p.t.Errorf("crossrole %q failed, and printed %q", args, r.out)
	}
	return r
}

func TestAssume(t *testing.T) {
	p := newPC(t, localsts.Options{})
	var answer struct {
		Version                                        int
		AccessKeyID, SecretAccessKey, SessionToken, ID string
		Expiration                                     time.Time
	}
	first := p.crossrole(0, "assume", "open", "--format", "process")
	if err := json.Unmarshal([]byte(first.out), &answer); err != nil || answer.Version != 1 || answer.SessionToken == "" || strings.Contains(first.out, "\r") {
		t.Errorf("%v: %q", err, first.out)
	}
	if again := p.crossrole(0, "assume", "open", "--format", "process"); again.out != first.out || p.sts.Count("AssumeRole") != 1 {
		t.Errorf("%d calls; first %q, then %q", p.sts.Count("AssumeRole"), first.out, again.out)
	}
	if strings.Contains(p.stored(), answer.SecretAccessKey) {
		t.Error("the cache holds the secret in the clear")
	}
	if _, err := os.Stat(filepath.Join(p.dir, "cache", "key.dpapi")); err != nil {
		t.Errorf("the key is not kept by Windows: %v", err)
	}
	if r := p.crossrole(0, "cache", "list"); !strings.Contains(r.out, "open") {
		t.Errorf("cache list: %s", r.out)
	}
	p.crossrole(0, "cache", "clear")
	p.crossrole(0, "assume", "open", "--format", "env")
	if n := p.sts.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls after clearing", n)
	}
	if r := p.crossrole(4, "assume", "denied"); !strings.Contains(r.err, "hint: ") {
		t.Errorf("denied: %s", r.err)
	}
	p.crossrole(3, "assume", "nobody")
	p.crossrole(2, "assume", "--no-such-flag")
}

// stored is all that the cache's files hold.
func (p *pc) stored() string {
	var all strings.Builder
	_ = filepath.WalkDir(filepath.Join(p.dir, "cache"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, _ := os.ReadFile(path)
			all.Write(text)
		}
		return nil
	})
	return all.String()
}

// credential_process through cmd.exe: the program lies in a folder with a blank.
func TestCredentialProcess(t *testing.T) {
	p := newPC(t, localsts.Options{})
	if !strings.Contains(p.program, " ") {
		t.Fatalf("%s: the folder has no blank", p.program)
	}
	p.crossrole(0, "assume", "by-process", "--format", "process")
	if n := p.sts.Count("AssumeRole"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// What cmd.exe is left with after the lines that we print for it.
func TestCmd(t *testing.T) {
	p := newPC(t, localsts.Options{})
	lines := p.crossrole(0, "assume", "open", "--format", "windows-cmd").out
	batch := lines + "@echo off\r\nset AWS_\r\n"
	if err := os.WriteFile(filepath.Join(p.dir, "run.bat"), []byte("@echo off\r\n"+batch), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.run(p.windows("cmd.exe", "/d", "/c", "run.bat"))
	for _, want := range []string{"AWS_ACCESS_KEY_ID=ASIA", "AWS_SESSION_TOKEN=", "AWS_REGION=eu-central-1"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is missing in %q %q", want, r.out, r.err)
		}
	}
}

func TestExec(t *testing.T) {
	p := newPC(t, localsts.Options{})
	r := p.crossrole(0, "exec", "open", "--", "cmd.exe", "/d", "/c", "set AWS_")
	if !strings.Contains(r.out, "AWS_SESSION_TOKEN=") || !strings.Contains(r.out, "AWS_REGION=eu-central-1") || strings.Contains(r.out, "AWS_PROFILE=") {
		t.Errorf("the child has %s", r.out)
	}
	for command, code := range map[string]int{"exit 7": 7, "exit 0": 0, "exit 255": 255} {
		if r := p.run(p.command("exec", "open", "--", "cmd.exe", "/d", "/c", command)); r.code != code {
			t.Errorf("%s: exit %d", command, r.code)
		}
	}
	p.crossrole(127, "exec", "open", "--", "no-such-program")
}

func TestEach(t *testing.T) {
	p := newPC(t, localsts.Options{})
	r := p.crossrole(0, "each", "open", "--", "cmd.exe", "/d", "/c", "echo in {account}")
	if !strings.Contains(r.out, "in 222222222222") {
		t.Errorf("%s%s", r.out, r.err)
	}
}

func TestHousekeeping(t *testing.T) {
	p := newPC(t, localsts.Options{})
	if r := p.crossrole(0, "list"); !strings.Contains(r.out, "me → open") {
		t.Errorf("list: %s", r.out)
	}
	if r := p.crossrole(0, "show", "open"); !strings.Contains(r.out, "222222222222:role/Open") || !strings.Contains(r.out, `\config:`) {
		t.Errorf("show: %s", r.out)
	}
	if r := p.crossrole(0, "doctor"); !strings.Contains(r.out, "windows data protection") || !strings.Contains(r.out, "the clock agrees") {
		t.Errorf("doctor: %s", r.out)
	}
	if r := p.crossrole(0, "whoami", "open"); !strings.Contains(r.out, "assumed-role/Open") {
		t.Errorf("whoami: %s", r.out)
	}
	p.crossrole(0, "assume", "open", "--write-profile", "given")
	text, err := os.ReadFile(filepath.Join(p.dir, "credentials"))
	if err != nil || !strings.HasPrefix(string(text), credentials) || !strings.Contains(string(text), "[given]") {
		t.Errorf("write-profile: %v\n%s", err, text)
	}
}

// A crowd of cold processes makes one call: the kernel's lock of Windows.
func TestCrowd(t *testing.T) {
	p := newPC(t, localsts.Options{Hook: localsts.On("AssumeRole", localsts.Latency(300*time.Millisecond))})
	var crowd sync.WaitGroup
	answers := make([]result, 8)
	for i := range answers {
		crowd.Go(func() { answers[i] = p.run(p.command("assume", "open", "--format", "process")) })
	}
	crowd.Wait()
	for _, a := range answers {
		if a.code != 0 || a.out != answers[0].out {
			t.Errorf("exit %d, %q, %s", a.code, a.out, a.err)
		}
	}
	if n := p.sts.Count("AssumeRole"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// A killed process that held the lock holds nobody up.
func TestKilledHolder(t *testing.T) {
	asked := make(chan struct{}, 1)
	hook := func(_ http.ResponseWriter, r *http.Request, action string) bool {
		if action != "AssumeRole" {
			return false
		}
		select {
		case asked <- struct{}{}:
			<-r.Context().Done() // the first waits for an answer until it dies
			return true
		default:
			return false
		}
	}
	p := newPC(t, localsts.Options{Hook: hook})
	first := p.command("assume", "open", "--format", "process")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); len(asked) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never called")
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	begun := time.Now()
	p.crossrole(0, "assume", "open", "--format", "process")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the next one took %v", took)
	}
}

func TestServe(t *testing.T) {
	p := newPC(t, localsts.Options{})
	cmd := p.command("serve", "open")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var printed strings.Builder
	address := regexp.MustCompile(`AWS_CONTAINER_CREDENTIALS_FULL_URI\W+(http://127\.0\.0\.1:\d+[/\w.-]*)`)
	token := regexp.MustCompile(`AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE\W+([^"';\r\n]+)`)
	buffer := make([]byte, 4096)
	for address.FindString(printed.String()) == "" || token.FindString(printed.String()) == "" {
		n, err := out.Read(buffer)
		printed.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, printed.String())
		}
	}
	url := address.FindStringSubmatch(printed.String())[1]
	key := strings.TrimSpace(readWindows(t, token.FindStringSubmatch(printed.String())[1]))
	for _, c := range []struct {
		token string
		want  int
	}{{key, http.StatusOK}, {"wrong", http.StatusForbidden}, {"", http.StatusForbidden}} {
		status, body := get(t, url, c.token)
		if status != c.want || strings.Contains(body, "SecretAccessKey") != (c.want == http.StatusOK) {
			t.Errorf("with token %q: %d %s", c.token, status, body)
		}
	}
}

// readWindows reads a file by the name that Windows programs have for it.
func readWindows(t *testing.T, name string) string {
	t.Helper()
	name = strings.ReplaceAll(strings.ReplaceAll(name, `\\`, "/"), `\`, "/")
	path := strings.TrimPrefix(name, "Z:")
	if strings.HasPrefix(name, "C:") {
		path = filepath.Join(os.Getenv("WINEPREFIX"), "drive_c", name[2:])
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func get(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Without a console nobody can be asked, and it fails at once.
func TestNobodyToAsk(t *testing.T) {
	p := newPC(t, localsts.Options{})
	r := p.crossrole(5, "assume", "mfa")
	if !strings.Contains(r.err, "hint: ") {
		t.Error(r.err)
	}
}

// The code is asked for on the console, although stdout is a file.
func TestConsoleAsks(t *testing.T) {
	p := newPC(t, localsts.Options{})
	code, err := totp.GenerateCode(localsts.ExampleMFASeed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("@\"%s\" assume mfa --format process >answer.json\r\n", windowsPath(p.program))
	if err := os.WriteFile(filepath.Join(p.dir, "ask.bat"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := p.windows("cmd.exe", "/d", "/c", "ask.bat")
	console, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 25, Cols: 80}) // without a size Wine draws nothing
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	var screen bytes.Buffer
	asked, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		buffer, told := make([]byte, 4096), false
		for {
			n, err := console.Read(buffer)
			screen.Write(buffer[:n])
			if !told && bytes.Contains(screen.Bytes(), []byte("MFA code")) {
				told = true
				close(asked)
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		<-gone
		t.Fatalf("nothing was asked on the console: %q", screen.String())
	}
	time.Sleep(300 * time.Millisecond)
	if _, err := console.WriteString(code + "\r"); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	<-gone
	if err != nil {
		t.Fatalf("%v: %q", err, screen.String())
	}
	answer, err := os.ReadFile(filepath.Join(p.dir, "answer.json"))
	if err != nil || !strings.Contains(string(answer), "SessionToken") {
		t.Errorf("%v: %q", err, answer)
	}
	if strings.Contains(screen.String(), code) {
		t.Error("the code was echoed")
	}
}
