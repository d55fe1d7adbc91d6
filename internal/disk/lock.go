package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	lockWait  = 30 * time.Second      // for another writer, if the context sets no limit
	lockRetry = 20 * time.Millisecond // between two tries
	maxUnlock = 5                     // tries to give a lock back
)

// ErrBusy says that another process kept the lock for too long.
var ErrBusy = errors.New("another process is writing in this folder")

// LockFolder keeps other writers of the folder's files out, target's among them, and takes away what
// those left behind who were killed.
func LockFolder(ctx context.Context, target string) (unlock func(), err error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lockWait)
		defer cancel()
	}
	path, options := lockPlace(target)
	if lockIsEverybodys(path) {
		short, cancel := context.WithTimeout(ctx, strangersWait)
		defer cancel()
		unlock, err = lockAt(short, path, options)
		if errors.Is(err, ErrBusy) && ctx.Err() == nil {
			return func() {}, nil
		}
	} else {
		unlock, err = lockAt(ctx, path, options)
	}
	if err == nil {
		removeLeftovers(target)
	}
	return unlock, err
}

// strangersWait is how long a folder's lock is waited for that any user of the
// machine can take, for as long as they like. Our own writers hold it for
// milliseconds, so that hundreds of them are through long before: after that the
// edit goes on without, and that Replace sees who else changed the file must do.
var strangersWait = 20 * time.Second

func lockAt(ctx context.Context, path string, options []flock.Option) (unlock func(), err error) {
	lock := flock.New(path, options...)
	_, err = lock.TryLockContext(ctx, lockRetry)
	for errors.Is(err, syscall.EINTR) {
		_, err = lock.TryLockContext(ctx, lockRetry)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = ErrBusy
		}
		return nil, fmt.Errorf("locking: %w", Bare(err))
	}
	return func() { release(lock) }, nil
}

// release tries again: while this process lives, a lock that stays would keep
// even its own next edit waiting.
func release(lock *flock.Flock) {
	for range maxUnlock {
		if lock.Unlock() == nil {
			return
		}
	}
}

func tempPattern(target string) string { return "." + filepath.Base(target) + ".crossrole-" }

// removeLeftovers takes away the temp files of writers that were killed. The
// lock is held, so none of them is in use.
func removeLeftovers(target string) {
	found, _ := filepath.Glob(filepath.Join(globEscape(filepath.Dir(target)), globEscape(tempPattern(target))+"*"))
	for _, path := range found {
		_ = os.Remove(path)
	}
}

func globEscape(path string) string {
	var out []rune
	for _, r := range path {
		if r == '*' || r == '?' || r == '[' {
			out = append(out, '[', r, ']')
			continue
		}
		out = append(out, r)
	}
	return string(out)
}
