//go:build unix

package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the processes that a test kills: the first word of CACHE_TEST says as what.
const helperEnv = "CACHE_TEST"

var helpers = map[string]func(args []string){"put": helperPut, "hold": helperHold, "count": helperCount}

func TestMain(m *testing.M) {
	what, args, _ := strings.Cut(os.Getenv(helperEnv), " ")
	if run, ok := helpers[what]; ok {
		run(strings.Fields(args))
	}
	os.Exit(m.Run())
}

func helper(args ...any) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.TrimSpace(fmt.Sprintln(args...)))
	cmd.Stderr = os.Stderr
	return cmd
}

func helperFolder(dir string, opts Options) *Folder {
	opts.Dir, opts.Mode = dir, File
	s, err := Open(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return s.Folder("sessions")
}

// helperPut writes an entry and kills itself before the nth step: create, each write, sync, rename.
func helperPut(args []string) {
	n, _ := strconv.Atoi(args[1])
	f := helperFolder(args[0], Options{step: func(string) error {
		if n--; n < 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			time.Sleep(time.Minute)
		}
		return nil
	}})
	if err := f.Put(key, []byte("new"), meta); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func TestKilledAnywhereInAWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	f := open(t, Options{Dir: dir, Mode: File}).Folder("sessions")
	must(t, f.Put(key, []byte("old"), meta))
	for n := 0; ; n++ {
		err := helper("put", dir, n).Run()
		if err == nil {
			if n < 6 {
				t.Fatalf("a write has only %d steps", n)
			}
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("step %d: %v", n, err)
		}
		get(t, f, []byte("old"))
	}
	get(t, f, []byte("new"))
	must(t, f.Put(key, []byte("newer"), meta))
	get(t, f, []byte("newer"))
}

func TestAFailedStepLeavesTheOldEntry(t *testing.T) {
	for _, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT} {
		for n, done := 0, false; !done; n++ {
			left := n
			dir := filepath.Join(t.TempDir(), "cache")
			must(t, open(t, Options{Dir: dir, Mode: File}).Folder("sessions").Put(key, secret, meta))
			f := open(t, Options{Dir: dir, Mode: File, step: func(string) error {
				if left--; left < 0 {
					return errno
				}
				return nil
			}}).Folder("sessions")
			err := f.Put(key, []byte("new"), meta)
			if done = err == nil; done {
				get(t, f, []byte("new"))
				continue
			}
			var uncached *UncachedError
			if !errors.As(err, &uncached) || !errors.Is(err, errno) {
				t.Fatalf("step %d: %v", n, err)
			}
			get(t, f, secret)
			if names := files(t, f.dir); len(names) != 1 {
				t.Fatalf("step %d leaves %v", n, names)
			}
		}
	}
}

// A real limit in the place of the simulated one: the kernel refuses the file when it grows past a size.
func TestTheKernelRefusesTheBytes(t *testing.T) {
	f := open(t, Options{Mode: File}).Folder("sessions")
	must(t, f.Put(key, secret, meta))
	limit := syscall.Rlimit{}
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	small := limit
	small.Cur = 64
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small))
	err := f.Put(key, bytes.Repeat([]byte("x"), 4096), meta)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	var uncached *UncachedError
	if !errors.As(err, &uncached) {
		t.Errorf("got %v", err)
	}
	get(t, f, secret)
}
