//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/pquerna/otp/totp"

	"crossrole/internal/localsts"
)

// These tests run the program itself, many processes of it, against a local STS that counts its calls.

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "crossrole-crowd")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "crossrole")
	cmd := exec.Command("go", "build", "-o", path, "crossrole/cmd/crossrole")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// crowd is a home with profiles of the example accounts, and the processes that use it.
type crowd struct {
	t    *testing.T
	sts  *localsts.TestServer
	dir  string
	env  []string
	path string
}

const crowdConfig = `[profile user]
region = eu-west-1

[profile open]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = user

[profile short]
role_arn = arn:aws:iam::222222222222:role/Short
source_profile = user

[profile hop]
role_arn = arn:aws:iam::111111111111:role/Hop
source_profile = user

[profile behind]
role_arn = arn:aws:iam::222222222222:role/FromHop
source_profile = hop

[profile behind-too]
role_arn = arn:aws:iam::222222222222:role/FromHop
role_session_name = another
source_profile = hop

[profile mfa]
role_arn = arn:aws:iam::222222222222:role/MFA
source_profile = user
mfa_serial = ` + localsts.ExampleMFASerial + "\n"

func newCrowd(t *testing.T, opts localsts.Options) *crowd {
	t.Helper()
	path, err := program()
	noError(t, err)
	c := &crowd{t: t, sts: localsts.StartTest(t, opts), dir: t.TempDir(), path: path}
	noError(t, os.Mkdir(filepath.Join(c.dir, ".aws"), 0o700))
	c.write("config", crowdConfig)
	c.write("credentials", "[user]\naws_access_key_id = "+localsts.ExampleKeyID+"\naws_secret_access_key = "+localsts.ExampleSecret+"\n")
	c.env = []string{
		"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL_STS=" + c.sts.URL, "AWS_EC2_METADATA_DISABLED=true",
		"CROSSROLE_CACHE_DIR=" + filepath.Join(c.dir, "cache"), "USER=me",
	}
	return c
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes one of the AWS files, old enough for its times to be relied on.
func (c *crowd) write(name, text string) {
	c.t.Helper()
	noError(c.t, os.WriteFile(filepath.Join(c.dir, ".aws", name), []byte(text), 0o600))
	time.Sleep(25 * time.Millisecond)
}

// result is what one process did.
type result struct {
	out, err string
	code     int
}

func (c *crowd) command(args ...string) *exec.Cmd {
	cmd := exec.Command(c.path, args...)
	cmd.Env, cmd.Dir = c.env, c.dir
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// assume runs `assume PROFILE --format process` with more arguments.
func (c *crowd) assume(profile string, more ...string) result {
	c.t.Helper()
	return finish(c.t, c.command(append([]string{"assume", profile, "--format", "process"}, more...)...))
}

// good wants credentials, and nothing said.
func (c *crowd) good(r result) credentialsJSON {
	c.t.Helper()
	var got credentialsJSON
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 || got.AccessKeyID == "" {
		c.t.Fatalf("exit %d, said %q, printed %d bytes: %v", r.code, r.err, len(r.out), err)
	}
	return got
}

type credentialsJSON struct {
	AccessKeyID string    `json:"AccessKeyId"`
	Expiration  time.Time `json:"Expiration"`
}

func (c *crowd) wantCalls(want int) {
	c.t.Helper()
	if got := c.sts.Count("AssumeRole"); got != want {
		c.t.Errorf("%d calls of AssumeRole, want %d", got, want)
	}
}

func TestTwoHundredProcessesMakeOneCall(t *testing.T) {
	c := newCrowd(t, localsts.Options{Hook: localsts.Latency(50 * time.Millisecond)})
	results := make(chan string, 200)
	var wg sync.WaitGroup
	for range cap(results) {
		wg.Go(func() { results <- c.assume("open").out })
	}
	wg.Wait()
	close(results)
	first := <-results
	for r := range results {
		if r != first || r == "" {
			t.Fatalf("different answers: %q and %q", first, r)
		}
	}
	c.wantCalls(1)
}

// Twenty processes start at once on one terminal, and the person is asked once.
func TestOnePromptForMany(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	shell := exec.Command("sh", "-c", `i=0; while [ $i -lt 20 ]; do "$1" assume mfa --format process >out.$i 2>err.$i & i=$((i+1)); done; wait; echo all done`, "sh", c.path)
	shell.Env, shell.Dir = c.env, c.dir
	screen, err := pty.Start(shell)
	noError(t, err)
	defer screen.Close()
	var shown bytes.Buffer
	typed := false
	buf := make([]byte, 4096)
	for !strings.Contains(shown.String(), "all done") {
		n, err := screen.Read(buf)
		if err != nil {
			break
		}
		shown.Write(buf[:n])
		if !typed && strings.Contains(shown.String(), "MFA code") {
			typed = true
			time.Sleep(200 * time.Millisecond) // the others have long been waiting
			code, err := totp.GenerateCode(localsts.ExampleMFASeed, time.Now())
			noError(t, err)
			_, err = screen.WriteString(code + "\n")
			noError(t, err)
		}
	}
	_ = shell.Wait()
	if n := strings.Count(shown.String(), "MFA code"); n != 1 {
		t.Errorf("%d prompts: %q", n, shown.String())
	}
	for i := range 20 {
		text, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("out.%d", i)))
		noError(t, err)
		c.good(result{out: string(text)})
	}
	c.wantCalls(1)
}

func TestAKilledHolderDoesNotHoldUp(t *testing.T) {
	arrived := make(chan struct{}, 1)
	c := newCrowd(t, localsts.Options{Hook: localsts.First(1, func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		arrived <- struct{}{}
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})})
	holder := c.command("assume", "open", "--format", "process")
	noError(t, holder.Start())
	<-arrived
	waiting := make(chan result, 1)
	go func() { waiting <- c.assume("open") }()
	other := c.assume("short") // another key does not wait
	c.good(other)
	late := c.assume("open", "--timeout", "300ms", "--format", "env")
	if late.code != 1 || late.out != "" || !strings.Contains(late.err, "another process") || !strings.Contains(late.err, "300ms") {
		t.Errorf("who gave up waiting: %+v", late)
	}
	noError(t, holder.Process.Kill())
	_ = holder.Wait()
	select {
	case r := <-waiting:
		c.good(r)
	case <-time.After(20 * time.Second):
		t.Fatal("the next one still waits")
	}
}

// Killed at any instant of a cold start, a process leaves a cache that the next one can use.
func TestKilledAtAnyInstant(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	began := time.Now()
	c.good(c.assume("open"))
	whole := time.Since(began)
	for range 25 {
		noError(t, os.RemoveAll(filepath.Join(c.dir, "cache")))
		cmd := c.command("assume", "open", "--format", "process")
		noError(t, cmd.Start())
		time.Sleep(rand.N(whole + whole/4))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r := c.assume("open")
		if c.good(r); r.err != "" {
			t.Fatalf("said %q", r.err)
		}
	}
}

func TestChainsShareInnerHops(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	c.good(c.assume("behind"))
	c.wantCalls(2)
	c.good(c.assume("behind-too"))
	c.wantCalls(3)
	c.good(c.assume("hop"))
	c.wantCalls(3)
}

// Two roles behind one MFA device cost one code; the second asks nobody.
func TestOneCodeForTwoRoles(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	code, err := totp.GenerateCode(localsts.ExampleMFASeed, time.Now())
	noError(t, err)
	process := fmt.Sprintf("mfa_process = echo asked >>%s/asked; echo %s\n", c.dir, code)
	c.write("config", crowdConfig+process+`
[profile mfa-too]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = user
mfa_serial = `+localsts.ExampleMFASerial+"\n"+process)
	c.good(c.assume("mfa"))
	c.good(c.assume("mfa-too"))
	asked, err := os.ReadFile(filepath.Join(c.dir, "asked"))
	noError(t, err)
	if string(asked) != "asked\n" || c.sts.Count("GetSessionToken") != 1 {
		t.Errorf("asked %q, %d MFA sessions", asked, c.sts.Count("GetSessionToken"))
	}
	c.wantCalls(2)
	if r := c.assume("mfa", "--no-cache", "--mfa-code", "000000"); r.code == 0 || c.sts.Count("GetSessionToken") != 1 {
		t.Errorf("without a cache there is nothing to share: %+v", r)
	}
}

// Whatever changes the answer has an entry of its own, and the old one is back when the change is undone.
func TestNoSessionOfAnother(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	first := c.good(c.assume("open"))
	calls := 1
	other := localsts.StartTest(t, localsts.Options{})
	for name, change := range map[string]func() result{
		"an edited role": func() result {
			c.write("config", strings.Replace(crowdConfig, "role/Open", "role/Short", 1))
			return c.assume("open")
		},
		"a region":          func() result { return c.assume("open", "--region", "us-east-1") },
		"an external ID":    func() result { return c.assume("open", "--external-id", "abc") },
		"a duration":        func() result { return c.assume("open", "--duration", "1800") },
		"a session name":    func() result { return c.assume("open", "--session-name", "abc") },
		"a managed policy":  func() result { return c.assume("open", "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess") },
		"an endpoint's URL": func() result { return c.assume("open", "--endpoint-url", c.sts.URL+"/") },
	} {
		if got := c.good(change()); got.AccessKeyID == first.AccessKeyID {
			t.Errorf("%s: the first session was handed out", name)
		}
		calls++
		c.wantCalls(calls)
		c.write("config", crowdConfig)
		if got := c.good(c.assume("open")); got.AccessKeyID != first.AccessKeyID {
			t.Errorf("%s: undone, and not found again", name)
		}
		c.wantCalls(calls)
	}
	if got := c.good(c.assume("open", "--endpoint-url", other.URL)); got.AccessKeyID == first.AccessKeyID || other.Count("AssumeRole") != 1 {
		t.Error("another endpoint: the first session was handed out")
	}
	c.write("credentials", "[user]\naws_access_key_id = "+localsts.ExampleOtherKeyID+"\naws_secret_access_key = "+localsts.ExampleOtherKey+"\n")
	if r := c.assume("open"); r.code != exitDenied || r.out != "" {
		t.Errorf("another user, who may not: %+v", r)
	}
}

// The kernel refuses every byte of a file: a full disk, as far as the program can tell.
func TestNoByteCanBeWritten(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	cmd := exec.Command("sh", "-c", `ulimit -f 0; exec "$0" "$@"`, c.path, "assume", "open", "--format", "process")
	cmd.Env, cmd.Dir = c.env, c.dir
	r := finish(t, cmd)
	c.good(r)
	if lines := strings.Count(r.err, "\n"); lines != 1 || !strings.Contains(r.err, "no cache") {
		t.Errorf("said %q", r.err)
	}
	c.good(c.assume("open"))
	c.wantCalls(2)
}

// Many clients for a while, with sessions that expire all the time. CROSSROLE_SOAK sets how long: `make soak`.
func TestSoak(t *testing.T) {
	last := 4 * time.Second
	if text := os.Getenv("CROSSROLE_SOAK"); text != "" {
		var err error
		last, err = time.ParseDuration(text)
		noError(t, err)
	}
	const lifetime = 3 * time.Second
	c := newCrowd(t, localsts.Options{Lifetime: lifetime})
	ctx, cancel := context.WithTimeout(t.Context(), last)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Now() // a session that ends on a crowded machine's way back to us is not its fault
				r := c.assume("open")
				var got credentialsJSON
				if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 || r.err != "" {
					t.Errorf("exit %d, said %q", r.code, r.err)
					return
				}
				if !began.Before(got.Expiration) {
					t.Errorf("it had expired %v before", began.Sub(got.Expiration))
				}
				mu.Lock()
				seen[got.AccessKeyID]++
				mu.Unlock()
			}
		})
	}
	began := time.Now()
	wg.Wait()
	calls, sessions := c.sts.Count("AssumeRole"), 0
	for range seen {
		sessions++
	}
	// A session lives two to three seconds, by whole seconds, and its last quarter is not handed out.
	if most := int(time.Since(began)/(lifetime/2)) + 2; calls != sessions || calls > most {
		t.Errorf("%d calls for %d sessions, at most %d were due", calls, sessions, most)
	}
	total := 0
	for _, n := range seen {
		total += n
	}
	t.Logf("%d processes, %d sessions, %d calls", total, sessions, calls)
}

// The peak is taken in a small process between: that of a child starts at what its parent holds.
func TestPeakMemoryOfAWarmAnswer(t *testing.T) {
	c := newCrowd(t, localsts.Options{})
	between := filepath.Join(t.TempDir(), "startbench")
	build := exec.Command("go", "build", "-o", between, "crossrole/internal/tools/startbench")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.good(c.assume("open"))
	cmd := exec.Command(between, "peak", c.path, "assume", "open", "--format", "process")
	cmd.Env, cmd.Dir = c.env, c.dir
	r := finish(t, cmd)
	peak, err := strconv.Atoi(strings.TrimSpace(r.out))
	if err != nil || peak < 1<<20 || peak > 16<<20 {
		t.Errorf("%d bytes, %v: %s", peak, err, r.err)
	}
}
