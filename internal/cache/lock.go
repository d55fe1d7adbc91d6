package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"crossrole/internal/cache/sealed"
)

const lockSuffix = ".lock"

// UnlockedError means that the file system has no locks to give, as some network ones. The work may go on: the lock
// saves calls, it does not keep the cache right.
type UnlockedError struct{ Err error }

// Error says why there is no lock.
func (e *UnlockedError) Error() string { return "no lock: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UnlockedError) Unwrap() error { return e.Err }

// BusyError means that the wait for another process's lock ended with the context.
type BusyError struct {
	Waited time.Duration
	Err    error // the context's
}

// Error says how long the wait was.
func (e *BusyError) Error() string {
	return fmt.Sprintf("another process has been getting the same credentials for %s", e.Waited.Round(100*time.Millisecond))
}

// Unwrap returns the context's error.
func (e *BusyError) Unwrap() error { return e.Err }

// locker is one try at a lock on one open file.
type locker interface {
	TryLock() (bool, error)
	Unlock() error
	Stat() (os.FileInfo, error)
}

func (f *Folder) lockPath(key string) string { return filepath.Join(f.dir, key+lockSuffix) }

// Lock takes the kernel's lock of key, waiting for its holder as long as ctx allows; other keys have other locks. The
// kernel frees it when its holder ends, however it ends. unlock is never nil, and is to be called once.
//
// It fails with *BusyError (the wait was in vain), *UnlockedError (no locks here), *UncachedError (the lock's file
// can't be made) or *sealed.UnsafeError.
func (f *Folder) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := checkKey(key); err != nil {
		return func() {}, err
	}
	if err := ensureDir(f.dir); err != nil {
		return func() {}, err
	}
	return f.store.lockFile(ctx, f.lockPath(key))
}

func (s *Store) lockFile(ctx context.Context, path string) (unlock func(), err error) {
	began := time.Now()
	for n := 0; ; n++ {
		l, err := s.tryLock(path)
		if err != nil {
			return func() {}, err
		}
		if l != nil {
			return func() { release(l) }, nil
		}
		if err := s.pause(ctx, n); err != nil {
			return func() {}, &BusyError{Waited: time.Since(began), Err: err}
		}
	}
}

// release tries again: a lock that stays would keep even this process waiting.
func release(l locker) {
	for range 3 {
		if l.Unlock() == nil {
			return
		}
	}
}

// tryLock returns nil if another holds the lock. The file may have been removed between its opening and its locking:
// then ours is the lock of a name that nobody else will ever open, and no lock at all.
func (s *Store) tryLock(path string) (locker, error) {
	for {
		l, err := s.newLocker(path)
		if err != nil {
			return nil, err
		}
		ok, err := l.TryLock()
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, lockError(path, err)
		}
		if !ok {
			return nil, nil
		}
		if stillThere(l, path) {
			return l, nil
		}
		_ = l.Unlock()
	}
}

func (s *Store) newLocker(path string) (locker, error) {
	if s.opts.lock != nil {
		return s.opts.lock(path)
	}
	if err := checkReplaceable(path); err != nil {
		return nil, err
	}
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600)), nil
}

func stillThere(l locker, path string) bool {
	mine, err := l.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, named)
}

// lockError tells apart what can't be locked, what can't be written, and a link in the place of the lock's file.
func lockError(path string, err error) error {
	for _, no := range unlockable {
		if errors.Is(err, no) {
			return &UnlockedError{err}
		}
	}
	if errors.Is(err, syscall.ELOOP) {
		return &sealed.UnsafeError{Path: path, What: "is a symbolic link"}
	}
	return &UncachedError{err}
}

// pause waits a little longer each time, up to 40 ms, and never twice the same: a crowd spreads out.
func (s *Store) pause(ctx context.Context, n int) error {
	if s.opts.tick != nil {
		return s.opts.tick(ctx, n)
	}
	step := time.Duration(min(n+1, 8)) * 4 * time.Millisecond
	timer := time.NewTimer(step + rand.N(step/4)) //nolint:gosec // it spreads a crowd, and need not be hard to guess
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// removeLock removes the lock's file if nobody holds it. Who opened it just before finds that out by stillThere.
func (s *Store) removeLock(path string) {
	l, err := s.tryLock(path)
	if err != nil || l == nil {
		return
	}
	defer func() { _ = l.Unlock() }()
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
}
