package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Find looks a command up in PATH with the extensions of PATHEXT. The working
// folder is not searched: a program that lies there is not what was meant.
func Find(name, _ string) (string, error) {
	file, err := exec.LookPath(name)
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, os.ErrPermission):
		return "", &StartError{name, StatusNotExecutable, err}
	default:
		return "", &StartError{name, StatusNotFound, errNotFound}
	}
}

// Replace runs a command beside us, for a process can't be replaced on Windows,
// and returns its exit status.
func Replace(ctx context.Context, c Command, std Streams) (status int, err error) {
	return Supervise(ctx, c, std, 0)
}

func viaShell(Command, error) (Command, bool) { return Command{}, false }

// heeded are caught so that they don't end us before the child.
func heeded() []os.Signal { return []os.Signal{os.Interrupt} }

// pass has nothing to send: the console gives Ctrl-C and Ctrl-Break to the child too.
func pass(Command, *os.Process, os.Signal) bool { return false }

func stops(os.Signal) bool { return false }

// askToStop ends the child: there is no way to ask one that shares our console
// without asking everything else in it.
func askToStop(_ Command, child *os.Process) { _ = child.Kill() }

func killAll(_ Command, child *os.Process) { _ = child.Kill() }

func endRest(Command, *os.Process, time.Duration) {}

func attributes(bool) *syscall.SysProcAttr { return nil }

// tie puts the child in a job that ends with us. What the child starts is left
// alone: it may outlive both, as it may on other systems.
func tie(child *os.Process) (release func()) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return func() {}
	}
	release = func() { _ = windows.CloseHandle(job) }
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
		},
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		return release
	}
	handle, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(child.Pid))
	if err != nil {
		return release
	}
	defer windows.CloseHandle(handle)
	// Where this fails the child outlives us: no worse than without a job.
	_ = windows.AssignProcessToJobObject(job, handle)
	return release
}

func statusOf(state *os.ProcessState) int { return state.ExitCode() }
