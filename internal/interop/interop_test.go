//go:build interop

// Package interop runs the programs that people really use (shells, the AWS CLI, SDKs) against a crossrole built from
// this checkout and an STS on loopback. A program that is missing is a failure, not a skip: `.ci/run` installs them.
package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// tools are the programs under test and their clients, found or built once.
var tools struct {
	crossrole string // in a folder with a blank in its name, as on many a Mac and PC
	caller    string // the Go SDK client (internal/tools/caller)
	python    string // the interpreter itself, not a version manager's shim, which would look for its own $HOME
	aws       string
	node      string
	nu        string
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "crossrole-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := findTools(dir); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	return m.Run()
}

func findTools(dir string) error {
	var faults []error
	find := func(name string) string {
		found, err := exec.LookPath(name)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s is missing (.ci/run installs what is needed)", name))
		}
		return found
	}
	tools.node = find("node")
	tools.aws = find("aws")
	tools.python = find("python3")
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "ksh", "fish", "env", "shellcheck", "terraform"} {
		find(shell)
	}
	if _, err := os.Stat(filepath.Join("node", "node_modules", "@aws-sdk", "client-sts")); err != nil {
		faults = append(faults, errors.New("the AWS SDK for JavaScript is missing: make interop fetches it"))
	}
	nu, err := filepath.Abs("node/node_modules/@nushell/" + runtime.GOOS + "-x64/bin/nu")
	if _, statErr := os.Stat(nu); err != nil || statErr != nil {
		nu = find("nu")
	}
	tools.nu = nu
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if out, err := exec.Command(tools.python, "-c", "import sys, boto3, moto, cfnlint; print(sys.executable)").Output(); err != nil {
		faults = append(faults, errors.New("python3 has no boto3, moto or cfnlint"))
	} else {
		tools.python = strings.TrimSpace(string(out))
		// Prefer the aws beside that interpreter: the one found on PATH may be a shim.
		if beside := filepath.Join(filepath.Dir(tools.python), "aws"); isFile(beside) {
			tools.aws = beside
		}
	}
	tools.crossrole = filepath.Join(dir, "with blank", "crossrole")
	tools.caller = filepath.Join(dir, "caller")
	faults = append(faults, build(tools.crossrole, "crossrole/cmd/crossrole"))
	faults = append(faults, build(tools.caller, "crossrole/internal/tools/caller"))
	return errors.Join(faults...)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func build(output, pkg string) error {
	cmd := exec.Command("go", "build", "-o", output, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// world is a home folder with AWS files, and the whole environment of the programs that run in it.
type world struct {
	t   *testing.T
	dir string            // HOME; .aws is in it
	cwd string            // an empty folder to run in
	env map[string]string // nothing of the test's own environment leaks in
}

// newWorld makes a home with the two AWS files (either may be "": then it is not there).
func newWorld(t *testing.T, config, credentials string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, cwd: filepath.Join(dir, "cwd"), env: map[string]string{
		"HOME":                      dir,
		"PATH":                      strings.Join([]string{filepath.Dir(tools.crossrole), filepath.Dir(tools.python), filepath.Dir(tools.nu), os.Getenv("PATH")}, ":"),
		"LANG":                      "C.UTF-8",
		"TMPDIR":                    t.TempDir(),
		"AWS_EC2_METADATA_DISABLED": "true",
		// Nothing is remembered from one case to the next.
		"CROSSROLE_CACHE": "off",
	}}
	for _, folder := range []string{filepath.Join(dir, ".aws"), w.cwd} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(".aws/config", config)
	w.write(".aws/credentials", credentials)
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if text == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) set(pairs ...string) *world {
	for i := 0; i < len(pairs); i += 2 {
		w.env[pairs[i]] = pairs[i+1]
	}
	return w
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	t.Helper()
	inner := *w
	inner.t = t
	return &inner
}

// result is what a program left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program in the world, with no terminal and stdin closed.
func (w *world) run(name string, args ...string) result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.find(name), args...)
	cmd.Dir = w.cwd
	for key, value := range w.env {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%s %q: %v", name, args, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// find looks a program up in the world's own PATH.
func (w *world) find(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range filepath.SplitList(w.env["PATH"]) {
		if path := filepath.Join(dir, name); isFile(path) {
			return path
		}
	}
	w.t.Fatalf("%s is nowhere in %s", name, w.env["PATH"])
	return ""
}

// mustRun is run for programs that must succeed.
func (w *world) mustRun(name string, args ...string) result {
	w.t.Helper()
	r := w.run(name, args...)
	if r.code != 0 {
		w.t.Fatalf("%s %q: exit %d\nstdout: %s\nstderr: %s", filepath.Base(name), args, r.code, r.stdout, r.stderr)
	}
	return r
}

// environment parses what `env -0` prints.
func environment(printed string) map[string]string {
	env := map[string]string{}
	for _, pair := range strings.Split(printed, "\x00") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			env[key] = value
		}
	}
	return env
}
