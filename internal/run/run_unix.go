//go:build unix

package run

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Find looks a command up in path (the value of PATH) as POSIX shells do: a name
// with a slash is a file; an empty element of path is the working folder; a file
// that can't be executed is passed over, and is the error if nothing better comes.
func Find(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		if err := executable(name); err != nil {
			return "", &StartError{name, statusFor(err), err}
		}
		return name, nil
	}
	var found error
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if dir == "" {
			file = "./" + name
		}
		if _, err := os.Stat(file); err != nil {
			continue // also where a folder can't be searched: nobody knows what is in it
		}
		err := executable(file)
		if err == nil && name != "" {
			return file, nil
		}
		if found == nil {
			found = err
		}
	}
	if found != nil && name != "" {
		return "", &StartError{name, StatusNotExecutable, found}
	}
	return "", &StartError{name, StatusNotFound, errNotFound}
}

// executable tells why a file can't be executed.
func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return reason(err)
	case info.IsDir():
		return syscall.EISDIR
	}
	return unix.Access(file, unix.X_OK)
}

func statusFor(err error) int {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return StatusNotFound
	}
	return StatusNotExecutable
}

// Replace runs a command in our place: the process is the same, so signals,
// terminal, job control and exit status are the command's own. It returns only
// if that failed. On Windows, where a process can't be replaced, the command runs
// beside us and its exit status is returned.
func Replace(_ context.Context, c Command, _ Streams) (status int, err error) {
	err = syscall.Exec(c.Path, c.Args, c.Env)
	if sh, ok := viaShell(c, err); ok {
		err = syscall.Exec(sh.Path, sh.Args, sh.Env)
	}
	return 0, &StartError{c.Args[0], StatusNotExecutable, err}
}

// viaShell is how shells run a script that has no "#!" line.
func viaShell(c Command, err error) (Command, bool) {
	if !errors.Is(err, syscall.ENOEXEC) || !isText(c.Path) {
		return Command{}, false
	}
	args := append([]string{"sh", c.Path}, c.Args[1:]...)
	return Command{Path: "/bin/sh", Args: args, Env: c.Env}, true
}

// isText tells a script from a program for another machine.
func isText(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false
	}
	return bytes.IndexByte(head[:n], 0) < 0
}

// heeded are the signals that we pass on. Those that our parent ignores (nohup)
// stay ignored, for us and so for the child.
func heeded() []os.Signal {
	var sigs []os.Signal
	for _, s := range []os.Signal{
		syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
	} {
		if !signal.Ignored(s) {
			sigs = append(sigs, s)
		}
	}
	return sigs
}

// pass sends a signal on, unless it comes from the keys of our terminal: those
// go to the whole foreground group, and the child is in it. Stopping (Ctrl-Z)
// needs nothing from us: the terminal stops both, and the shell continues both.
func pass(c Command, child *os.Process, sig os.Signal) bool {
	if !c.Apart && (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground() {
		return false
	}
	return send(c, child, sig.(syscall.Signal)) == nil //nolint:forcetypeassert // heeded lists them
}

func stops(sig os.Signal) bool { return sig == syscall.SIGTERM }

func askToStop(c Command, child *os.Process) { _ = send(c, child, syscall.SIGTERM) }

// killAll ends the child. An error means that it ended just now.
func killAll(c Command, child *os.Process) { _ = send(c, child, syscall.SIGKILL) }

// send signals the child, or all of its group if it has one.
func send(c Command, child *os.Process, sig syscall.Signal) error {
	if c.Apart {
		return syscall.Kill(-child.Pid, sig)
	}
	return child.Signal(sig)
}

// endRest waits for what a stopped child has left of its group, and kills what
// is still there after grace.
func endRest(c Command, child *os.Process, grace time.Duration) {
	end := time.Now().Add(grace)
	for send(c, child, 0) == nil {
		select {
		case <-c.Kill:
			end = time.Now()
		default:
		}
		if !time.Now().Before(end) {
			killAll(c, child)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// inForeground tells whether our group is the one that the terminal's keys reach.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	defer func() { _ = tty.Close() }()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// tie has nothing to do here: attributes binds the child where the system can.
func tie(*os.Process) (release func()) { return func() {} }

func statusOf(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}
