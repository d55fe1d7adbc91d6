//go:build unix

package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// helperHold takes a lock, says so, and holds it until it is killed.
func helperHold(args []string) {
	_, err := helperFolder(args[0], Options{}).Lock(context.Background(), args[1])
	fmt.Println("held", err)
	time.Sleep(time.Minute)
}

// helperCount adds one to the number in a file, again and again, each time under the lock.
func helperCount(args []string) {
	f := helperFolder(args[0], Options{})
	times, _ := strconv.Atoi(args[2])
	for range times {
		unlock, err := f.Lock(context.Background(), key)
		if err != nil {
			os.Exit(1)
		}
		addOne(args[1])
		unlock()
	}
	os.Exit(0)
}

func addOne(path string) {
	text, _ := os.ReadFile(path)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
		os.Exit(1)
	}
}

func TestTheLockIsForOneProcess(t *testing.T) {
	dir, counter := filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "n")
	open(t, Options{Dir: dir})
	const processes, times = 6, 20
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			if err := helper("count", dir, counter, times).Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, _ := os.ReadFile(counter); string(got) != strconv.Itoa(processes*times) {
		t.Errorf("counted to %s, want %d", got, processes*times)
	}
}

func TestAKilledHolderHoldsNobodyUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	f := open(t, Options{Dir: dir}).Folder("sessions")
	cmd := helper("hold", dir, key)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "held <nil>\n" {
		t.Fatalf("the holder says %q", line)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = f.Lock(ctx, key)
	var busy *BusyError
	if !errors.As(err, &busy) || !errors.Is(err, context.DeadlineExceeded) || busy.Waited < 90*time.Millisecond {
		t.Errorf("while it is held: %v", err)
	}
	unlock, err := f.Lock(ctx, "another-key")
	if err != nil && ctx.Err() == nil {
		t.Errorf("another key waits: %v", err)
	}
	unlock()
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	unlock, err = f.Lock(t.Context(), key)
	must(t, err)
	unlock()
}

func TestAnotherKeyDoesNotWait(t *testing.T) {
	s := open(t, Options{tick: func(context.Context, int) error { return errors.New("waited") }})
	a, err := s.Folder("sessions").Lock(t.Context(), "a")
	must(t, err)
	defer a()
	b, err := s.Folder("sessions").Lock(t.Context(), "b")
	must(t, err)
	b()
	if _, err := s.Folder("sessions").Lock(t.Context(), "a"); err == nil {
		t.Error("the same key was locked twice")
	}
}

// Lock files come and go under the feet of those who lock them, and still only one at a time is in.
func TestRemovingLockFilesIsSafe(t *testing.T) {
	s := open(t, Options{tick: func(context.Context, int) error { return nil }})
	f := s.Folder("sessions")
	must(t, ensureDir(f.dir))
	stop := make(chan struct{})
	var sweeper, workers sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.removeLock(f.lockPath(key))
			}
		}
	})
	var inside, most atomic.Int32
	for range 4 {
		workers.Go(func() {
			for range 200 {
				unlock, err := f.Lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				inside.Add(-1)
				unlock()
			}
		})
	}
	workers.Wait()
	close(stop)
	sweeper.Wait()
	if most.Load() != 1 {
		t.Errorf("%d were in at once", most.Load())
	}
}

type brokenLock struct{ err error }

func (l brokenLock) TryLock() (bool, error)     { return false, l.err }
func (l brokenLock) Unlock() error              { return nil }
func (l brokenLock) Stat() (os.FileInfo, error) { return nil, l.err }

func TestFileSystemsWithoutLocks(t *testing.T) {
	for errno, unlocked := range map[syscall.Errno]bool{
		syscall.ENOLCK: true, syscall.EOPNOTSUPP: true, syscall.ENOSYS: true, syscall.EIO: true,
		syscall.EROFS: false, syscall.EACCES: false, syscall.ENOSPC: false,
	} {
		f := open(t, Options{lock: func(string) (locker, error) {
			return brokenLock{&os.PathError{Op: "flock", Path: "x", Err: errno}}, nil
		}}).Folder("sessions")
		unlock, err := f.Lock(t.Context(), key)
		unlock()
		var no *UnlockedError
		var not *UncachedError
		if errors.As(err, &no) != unlocked || errors.As(err, &not) == unlocked || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

// Without locks an entry is still written and read, and a key still made.
func TestPutWithoutLocks(t *testing.T) {
	f := open(t, Options{lock: func(string) (locker, error) { return brokenLock{syscall.ENOLCK}, nil }}).Folder("sessions")
	must(t, f.Put(key, secret, meta))
	get(t, f, secret)
}
