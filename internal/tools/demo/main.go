// Command demo shows crossrole at work on this machine alone: it plays two accounts with the local STS, in a home folder
// of its own, and runs what a person would type. `make demo` calls it as
//
//	demo FOLDER-OF-THE-PROGRAMS EXAMPLE-FOLDER
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"crossrole/internal/localsts"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: demo FOLDER-OF-THE-PROGRAMS EXAMPLE-FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(programs, example string, out io.Writer) error {
	programs, err := filepath.Abs(programs)
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "crossrole-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(home) }()
	if err := os.CopyFS(filepath.Join(home, ".aws"), os.DirFS(filepath.Join(example, "aws"))); err != nil {
		return err
	}
	endpoint, stop, err := startSTS(example)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(out, "A local STS plays the accounts of %s at %s; ~/.aws is %s.\n", example, endpoint, filepath.Join(home, ".aws"))
	s := &stage{out: out, programs: programs, env: environment(programs, home, endpoint)}
	return s.play()
}

// startSTS serves every account file of the example on loopback.
func startSTS(example string) (endpoint string, stop func(), err error) {
	files, err := filepath.Glob(filepath.Join(example, "*.json"))
	if err != nil || len(files) == 0 {
		return "", nil, errors.Join(err, fmt.Errorf("%s has no account files", example))
	}
	var accounts []*localsts.Account
	for _, name := range files {
		account, err := loadAccount(name)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		accounts = append(accounts, account)
	}
	world, err := localsts.NewWorld(accounts...)
	if err != nil {
		return "", nil, err
	}
	handler, err := localsts.New(world, localsts.Options{})
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

func loadAccount(name string) (*localsts.Account, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return localsts.LoadAccount(bytes.NewReader(text), "")
}

// environment is all that the programs of the demo see: the person's own AWS settings stay out of it.
func environment(programs, home, endpoint string) []string {
	kept := []string{"SystemRoot", "TEMP", "TMP", "TMPDIR"}
	env := []string{
		"HOME=" + home, "USERPROFILE=" + home, "USER=you", "AWS_ENDPOINT_URL_STS=" + endpoint, "AWS_EC2_METADATA_DISABLED=true",
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH"),
	}
	for _, name := range kept {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// stage runs one command after the other and shows what it prints.
type stage struct {
	out      io.Writer
	programs string
	env      []string
}

const profile = "Allow-AssumeRole-profile"

func (s *stage) play() error {
	shell := []string{"sh", "-c", `eval "$(crossrole assume ` + profile + `)"; caller`}
	if runtime.GOOS == "windows" {
		shell = []string{"crossrole", "exec", profile, "--", "caller"}
	}
	for _, act := range []struct {
		why     string
		command []string
	}{
		{"What would happen, without asking anybody:", []string{"crossrole", "assume", profile, "--dry-run"}},
		{"The exports that a shell evaluates:", []string{"crossrole", "assume", profile}},
		{"The JSON that an SDK's credential_process reads:", []string{"crossrole", "assume", profile, "--format", "process"}},
		{"A Go SDK program with those exports asks who it is:", shell},
	} {
		if err := s.show(act.why, act.command); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.out, "\nNothing here touched AWS or your own ~/.aws.")
	return nil
}

// show runs a command as if it had been typed.
func (s *stage) show(why string, command []string) error {
	typed := strings.Join(command, " ")
	if command[0] == "sh" {
		typed = command[2]
	}
	fmt.Fprintf(s.out, "\n# %s\n$ %s\n", why, typed)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.find(command[0]), command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", typed, err)
	}
	return nil
}

// find prefers the demo's own programs to any that are installed.
func (s *stage) find(name string) string {
	path := filepath.Join(s.programs, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if _, err := os.Stat(path); err != nil {
		return name
	}
	return path
}
