package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"time"
)

// Exit statuses of a command that could not be run, as POSIX shells give them.
const (
	StatusNotExecutable = 126 // found, but it can't be executed
	StatusNotFound      = 127
)

// A Command is what to run: Find gives Path, and Args[0] is the name as given.
type Command struct {
	Path string
	Args []string
	Env  []string
	// Apart puts the child into a session of its own, without our terminal, and
	// everything that it starts is stopped with it. On Windows it means nothing.
	Apart bool
	// Kill, once closed, ends the child at once, whatever grace it has.
	Kill <-chan struct{}
}

// Streams are the child's; nil is the null device.
type Streams struct{ In, Out, Err *os.File }

// A StartError is a command that could not be run. Status is 126 or 127.
type StartError struct {
	Name   string
	Status int
	Err    error
}

// Error says what could not be run, and why.
func (e *StartError) Error() string { return fmt.Sprintf("run %q: %v", e.Name, e.Err) }

// Unwrap gives the reason.
func (e *StartError) Unwrap() error { return e.Err }

var errNotFound = errors.New("command not found")

// Supervise runs a command beside us and gives its exit status: its own, or
// 128 and the number of the signal that ended it.
//
// Signals that we get are passed on, save those that the terminal sent to the
// child as well. When ctx ends the child is asked to stop (SIGTERM; on Windows
// it is ended). A child that was asked to stop, by ctx or by a signal to us, and
// has not done so after grace is killed; grace 0 waits for ever. On Linux the
// child gets SIGTERM if we are killed, and on Windows it ends with us.
func Supervise(ctx context.Context, c Command, std Streams, grace time.Duration) (status int, err error) {
	// The kernel sends the parent-death signal when the thread that started the
	// child ends: this one must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, heeded()...) // before the start: none is lost
	defer signal.Stop(sigs)
	cmd, err := begin(c, std)
	if err != nil {
		return 0, err
	}
	release := tie(cmd.Process)
	defer release()

	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		attend(ctx, c, cmd.Process, sigs, grace, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-stopped
	if c.Apart && ctx.Err() != nil {
		endRest(c, cmd.Process, grace)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return 0, fmt.Errorf("wait for %q: %w", c.Args[0], err)
	}
	return statusOf(cmd.ProcessState), nil
}

// begin starts the command, by /bin/sh if it is a script that names no interpreter.
func begin(c Command, std Streams) (*exec.Cmd, error) {
	cmd, err := start(c, std)
	if sh, ok := viaShell(c, err); ok {
		cmd, err = start(sh, std)
	}
	if err != nil {
		return nil, &StartError{c.Args[0], StatusNotExecutable, reason(err)}
	}
	return cmd, nil
}

func start(c Command, std Streams) (*exec.Cmd, error) {
	// A nil Env would mean our own.
	env := append([]string{}, c.Env...)
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Env: env, SysProcAttr: attributes(c.Apart)}
	// A nil *os.File in an interface would not be nil.
	if std.In != nil {
		cmd.Stdin = std.In
	}
	if std.Out != nil {
		cmd.Stdout = std.Out
	}
	if std.Err != nil {
		cmd.Stderr = std.Err
	}
	return cmd, cmd.Start()
}

// attend passes signals on until the child has ended, and kills it when it was
// asked to stop and does not.
func attend(ctx context.Context, c Command, child *os.Process, sigs <-chan os.Signal, grace time.Duration, ended <-chan struct{}) {
	var kill <-chan time.Time
	asked := func() {
		if grace > 0 && kill == nil {
			kill = time.After(grace)
		}
	}
	done, force := ctx.Done(), c.Kill
	for {
		select {
		case <-ended:
			return
		case <-done:
			done = nil
			askToStop(c, child)
			asked()
		case sig := <-sigs:
			if pass(c, child, sig) && stops(sig) {
				asked()
			}
		case <-kill:
			// An error means that it ended just now.
			killAll(c, child)
			kill = nil
		case <-force:
			killAll(c, child)
			force = nil
		}
	}
}

// reason is why a command did not start, without the path that *PathError repeats.
func reason(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
