package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"crossrole/internal/output"
	"crossrole/internal/profile"
	"crossrole/internal/remember"
)

// The rules of the screen, once:
//
//   - stdout carries the payload and nothing else, and is empty on any error;
//   - everything said to a person goes to stderr;
//   - a question is asked on the terminal device, so that it works inside
//     $(…) and with stdin piped; without a terminal it fails at once;
//   - text from files, servers and arguments is quoted before it is shown.

// app is what a command may touch of the world. Tests make their own.
type app struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	getenv  func(string) string
	environ func() []string
	now     func() time.Time
	// openTerminal opens the terminal device for a question.
	openTerminal func() (*terminal, error)
	// outIsTerminal tells whether a person would see what goes to stdout.
	outIsTerminal func() bool
	// errIsTerminal tells whether a person would see what goes to stderr.
	errIsTerminal func() bool
	debug         bool

	args []string // the command line, without the program's name
	// readUnknown tells that a variable was read of which the early answer does not know that it matters.
	readUnknown atomic.Bool
}

func newApp() *app {
	return &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, environ: os.Environ, now: time.Now,
		openTerminal:  openTerminal,
		outIsTerminal: func() bool { return term.IsTerminal(int(os.Stdout.Fd())) },
		errIsTerminal: func() bool { return term.IsTerminal(int(os.Stderr.Fd())) },
	}
}

// width is how many columns stdout's terminal has; 0 if it is none.
func (a *app) width() int {
	if !a.outIsTerminal() {
		return 0
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// say tells a person one line.
func (a *app) say(text string) { _, _ = io.WriteString(a.err, "crossrole: "+harmless(text)+"\n") }

// log is where --debug goes; it holds no secrets because no type that has one
// lets it be printed.
func (a *app) log() *slog.Logger {
	if !a.debug {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// home is the user's home folder, or "" where there is none.
func (a *app) home() string {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	return a.getenv(name)
}

// profiles reads the AWS files that the environment names.
func (a *app) profiles() (*profile.Set, error) {
	files, err := profile.DefaultFiles(a.getenv, a.home())
	if err != nil {
		return nil, err
	}
	return profile.Load(files, a.getenv)
}

// who makes the default session name: in CI the actor and the run, elsewhere
// the user of the operating system.
func (a *app) who() string {
	for _, ci := range [][2]string{
		{"GITHUB_ACTOR", "GITHUB_RUN_ID"},
		{"GITLAB_USER_LOGIN", "CI_JOB_ID"},
		{"CIRCLE_USERNAME", "CIRCLE_WORKFLOW_ID"},
		{"BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_NUMBER"},
		{"BUILD_USER_ID", "BUILD_NUMBER"},
	} {
		if run := a.getenv(ci[1]); run != "" {
			if actor := a.getenv(ci[0]); actor != "" {
				return actor + "-" + run
			}
		}
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return filepath.Base(filepath.ToSlash(u.Username))
	}
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		if text := a.getenv(name); text != "" {
			return text
		}
	}
	return "unknown"
}

// watchEnvironment notices what an answer may depend on besides the variables that package remember knows of.
func (a *app) watchEnvironment() {
	getenv := a.getenv
	a.getenv = func(name string) string {
		if !remember.Matters(name) {
			a.readUnknown.Store(true)
		}
		return getenv(name)
	}
}

// forgetSession hides the region that a session of before put into this shell:
// the region of one profile must not decide about the next.
func (a *app) forgetSession() {
	getenv := a.getenv
	a.getenv = func(name string) string {
		text := getenv(name)
		if (name == "AWS_REGION" || name == "AWS_DEFAULT_REGION") && output.SessionRegion(getenv, text) {
			return ""
		}
		return text
	}
}

// heard remembers that something could not be written: the texts that cobra prints itself fail in silence.
type heard struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

func (h *heard) Write(p []byte) (int, error) {
	n, err := h.to.Write(p)
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.err = err
	}
	return n, err
}

func (h *heard) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		return nil
	}
	return fmt.Errorf("writing to standard output: %s", reasonOf(h.err))
}

// execute runs one command line and gives its exit code.
func execute(ctx context.Context, a *app, args []string) int {
	a.args = args
	a.watchEnvironment()
	a.forgetSession()
	out := &heard{to: a.out}
	a.out = out
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.failed()
	}
	if ctx.Err() != nil && err != nil {
		err = interrupted(ctx, err)
	}
	return a.fail(cmd, err)
}
