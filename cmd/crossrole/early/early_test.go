//go:build linux

package early_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"crossrole/internal/cache"
	"crossrole/internal/remember"
)

// program is the whole program, built as it is released.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "early")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "crossrole")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "crossrole/cmd/crossrole")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scene is a home with a memo for one command line.
type scene struct {
	t       *testing.T
	dir     string
	config  string
	args    []string
	environ []string
	memo    remember.Memo
	mode    cache.Mode
}

const answer = `{"Version":1,"AccessKeyId":"ASIAEARLY"}` + "\n"

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{
		t: t, dir: t.TempDir(), mode: cache.Auto,
		// A profile that the ordinary path can't know: what it answers is never taken for the memo's answer.
		args: []string{"assume", "no-such-profile", "--format", "process", "--no-input"},
	}
	s.config = filepath.Join(s.dir, "config")
	must(t, os.WriteFile(s.config, []byte("[default]\n"), 0o600))
	s.environ = []string{
		"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "CROSSROLE_CACHE_DIR=" + filepath.Join(s.dir, "cache"),
		"AWS_CONFIG_FILE=" + s.config, "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(s.dir, "credentials"),
	}
	now := time.Now()
	s.memo = remember.Memo{Life: remember.Life{Made: now, Expires: now.Add(time.Hour)}, Stdout: []byte(answer)}
	for _, path := range []string{s.config, filepath.Join(s.dir, "credentials")} {
		stamp, err := remember.Take(path)
		must(t, err)
		s.memo.Files = append(s.memo.Files, stamp)
	}
	return s
}

func (s *scene) remember() *scene {
	s.t.Helper()
	store, err := cache.Open(cache.Options{Dir: filepath.Join(s.dir, "cache"), Mode: s.mode})
	must(s.t, err)
	must(s.t, store.Folder(remember.Folder).Put(remember.Key(s.args, s.environ), s.memo.Encode(), cache.Meta{}))
	return s
}

func (s *scene) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = s.environ, s.dir
	return cmd
}

// early says whether the command line is answered from the memo.
func (s *scene) early(args ...string) bool {
	s.t.Helper()
	out, err := s.command(args...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return string(out) == answer && err == nil
}

func TestAMemoIsTheAnswer(t *testing.T) {
	for _, mode := range []cache.Mode{cache.Auto, cache.File} {
		s := newScene(t)
		s.mode = mode
		s.memo.Stderr = []byte("crossrole: a notice\n")
		s.remember()
		cmd := s.command(s.args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		must(t, cmd.Run())
		if out.String() != answer || errs.String() != "crossrole: a notice\n" {
			t.Errorf("%s: said %q and %q", mode, out.String(), errs.String())
		}
	}
}

// Whatever differs, the ordinary path answers.
func TestWhatIsNotAnsweredEarly(t *testing.T) {
	for name, change := range map[string]func(s *scene){
		"nothing":                 func(*scene) {},
		"another argument":        func(s *scene) { s.args[3] = "json" },
		"--refresh":               func(s *scene) { s.args = append(s.args, "--refresh") },
		"another command":         func(s *scene) { s.args[0] = "whoami" },
		"an option before it":     func(s *scene) { s.args = append([]string{"--debug"}, s.args...) },
		"another region":          func(s *scene) { s.environ = append(s.environ, "AWS_REGION=eu-west-1") },
		"the cache is off":        func(s *scene) { s.environ = append(s.environ, "CROSSROLE_CACHE=off") },
		"CROSSROLE_REFRESH":       func(s *scene) { s.environ = append(s.environ, "CROSSROLE_REFRESH=true") },
		"an edited config":        func(s *scene) { must(s.t, os.WriteFile(s.config, []byte("[default]\n#\n"), 0o600)) },
		"credentials that came":   func(s *scene) { must(s.t, os.WriteFile(filepath.Join(s.dir, "credentials"), nil, 0o600)) },
		"the session has expired": func(s *scene) { s.memo.Life.Expires = time.Now().Add(-time.Second); s.remember() },
		"below 15 minutes": func(s *scene) {
			s.memo.Life.Made = time.Now().Add(-50 * time.Minute)
			s.memo.Life.Expires = time.Now().Add(10 * time.Minute)
			s.remember()
		},
		"below --min-ttl": func(s *scene) { s.memo.Life.MinTTL = 2 * time.Hour; s.remember() },
		"the person must be told": func(s *scene) {
			s.memo.Life = remember.Life{Made: time.Now().Add(-50 * time.Minute), Expires: time.Now().Add(10 * time.Minute), Person: true}
			s.remember()
		},
		"from the future": func(s *scene) {
			s.memo.Life.Made = time.Now().Add(time.Hour)
			s.memo.Life.Expires = time.Now().Add(2 * time.Hour)
			s.remember()
		},
		"another folder":     func(s *scene) { s.memo.Cwd = "/elsewhere"; s.remember() },
		"a damaged memo":     func(s *scene) { must(s.t, os.WriteFile(s.file(), []byte("rubbish"), 0o600)) },
		"an open memo":       func(s *scene) { must(s.t, os.Chmod(s.file(), 0o644)) },
		"an open cache":      func(s *scene) { must(s.t, os.Chmod(filepath.Join(s.dir, "cache"), 0o755)) },
		"an open folder":     func(s *scene) { must(s.t, os.Chmod(filepath.Dir(s.file()), 0o750)) },
		"no cache":           func(s *scene) { must(s.t, os.RemoveAll(filepath.Join(s.dir, "cache"))) },
		"no home, no folder": func(s *scene) { s.environ = []string{"PATH=" + os.Getenv("PATH")} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).remember()
			change(s)
			if got, want := s.early(s.args...), name == "nothing"; got != want {
				t.Errorf("answered early: %v", got)
			}
		})
	}
}

func (s *scene) file() string {
	return filepath.Join(s.dir, "cache", remember.Folder, remember.Key(s.args, s.environ)+".entry")
}

func TestNobodyListensIsNoSuccess(t *testing.T) {
	s := newScene(t).remember()
	cmd := s.command(s.args...)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	defer full.Close()
	cmd.Stdout = full
	if err := cmd.Run(); err == nil {
		t.Error("a full device was a success")
	}
}

// mayComeFirst are the packages of others that Go initialises before this one, because nothing that they import is
// late in its order. Each costs microseconds; one that costs more does not belong here.
var mayComeFirst = map[string]bool{
	"github.com/aws/aws-sdk-go-v2/internal/sdk":      true,
	"github.com/aws/aws-sdk-go-v2/internal/timeouts": true,
	"github.com/charmbracelet/x/ansi/parser":         true,
	"github.com/jonboulle/clockwork":                 true,
	"github.com/mitchellh/hashstructure/v2":          true,
}

// mustComeLater are the parts of the standard library whose initialisation tells that the order is lost.
var mustComeLater = map[string]bool{
	"crypto/tls": true, "crypto/x509": true, "encoding/json": true, "encoding/xml": true, "fmt": true, "mime": true, "net": true, "net/http": true,
	"os/user": true, "path/filepath": true, "regexp": true, "text/template": true, "vendor/golang.org/x/net/http2/hpack": true,
}

func TestNothingHeavyIsInitialisedBeforeTheAnswer(t *testing.T) {
	early := initialised(t, newScene(t).remember())
	for _, name := range early {
		first, _, _ := strings.Cut(name, "/")
		if strings.Contains(first, ".") && !strings.HasPrefix(name, "golang.org/x/text/") && !mayComeFirst[name] || mustComeLater[name] {
			t.Errorf("%s is initialised before the answer", name)
		}
	}
	if len(early) < 10 {
		t.Errorf("only %v were initialised: is this still how Go tells?", early)
	}
	// The same look at the ordinary path sees the heavy ones: the look itself works.
	s := newScene(t)
	late := strings.Join(initialised(t, s), " ")
	for _, name := range []string{"github.com/aws/aws-sdk-go-v2/service/sts", "net/http"} {
		if !strings.Contains(late, name) {
			t.Errorf("the ordinary path does not initialise %s", name)
		}
	}
}

func initialised(t *testing.T, s *scene) (names []string) {
	t.Helper()
	cmd := s.command(s.args...)
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	var trace bytes.Buffer
	cmd.Stderr = &trace
	_ = cmd.Run()
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @`).FindAllStringSubmatch(trace.String(), -1) {
		names = append(names, m[1])
	}
	return names
}

// limit is the gate for a warm answer, in instructions; the promise to users is 3.6 million.
const limit = 1_500_000

func TestInstructions(t *testing.T) {
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI counts instructions with valgrind, and it is not installed")
		}
		t.Skip("valgrind is not installed; CI counts the instructions")
	}
	s := newScene(t).remember()
	cmd := exec.Command(valgrind, append([]string{"--tool=callgrind", "--callgrind-out-file=/dev/null", program}, s.args...)...)
	// Under valgrind the program is slow enough to be preempted by a signal, which callgrind does not survive.
	cmd.Env, cmd.Dir = append(s.environ, "GODEBUG=asyncpreemptoff=1"), s.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	m := regexp.MustCompile(`Collected : (\d+)`).FindStringSubmatch(errs.String())
	if out.String() != answer || m == nil {
		t.Fatalf("said %q, counted %s", out.String(), errs.String())
	}
	if n, _ := strconv.Atoi(m[1]); n > limit {
		t.Errorf("%d instructions, more than %d", n, limit)
	} else {
		t.Logf("%d instructions", n)
	}
}
