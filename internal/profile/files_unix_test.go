//go:build unix

package profile

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/disk"
)

// A pipe that takes a file's place after the look at it holds nobody up.
func TestAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := readRegular(path)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a pipe was read as a file")
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for a writer")
		if w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = w.Close()
		}
	}
}

// What a person can mend by another path or other rights is configuration; what only another disk mends is not.
func TestTroubleIsNoConfiguration(t *testing.T) {
	for errno, trouble := range map[error]bool{
		syscall.EIO: true, syscall.EMFILE: true, syscall.ENOSPC: true, syscall.ESTALE: true,
		syscall.ENOENT: false, syscall.EACCES: false, syscall.EPERM: false, syscall.ENOTDIR: false, syscall.ELOOP: false, ErrTooLarge: false,
	} {
		err := fmt.Errorf("in a chain: %w", &FileError{Path: "/f", Err: errno})
		if disk.Trouble(err) != trouble || IsConfiguration(err) == trouble {
			t.Errorf("%v: trouble %v, configuration %v", errno, disk.Trouble(err), IsConfiguration(err))
		}
	}
}
