//go:build unix

package sealed

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// CheckDir refuses a folder that is not ours alone: another's, a link, or open to group or others.
// A missing folder is fs.ErrNotExist.
func CheckDir(dir string) error {
	var st syscall.Stat_t
	if err := retry(func() error { return syscall.Lstat(dir, &st) }); err != nil {
		return &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	return check(dir, &st, syscall.S_IFDIR, "is not a folder")
}

// ReadFile reads an entry's file. It refuses one that is not ours alone, and never follows a link or waits on a pipe.
func ReadFile(path string) ([]byte, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		return err
	})
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) {
		return nil, &UnsafeError{Path: path, What: "is a symbolic link"}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := retry(func() error { return syscall.Fstat(fd, &st) }); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if err := check(path, &st, syscall.S_IFREG, "is not a regular file"); err != nil {
		return nil, err
	}
	if st.Nlink > 1 {
		return nil, &UnsafeError{Path: path, What: "has another name (a hard link)"}
	}
	if st.Size > MaxSize {
		return nil, ErrTooBig
	}
	return readAll(fd, path, int(st.Size))
}

func readAll(fd int, path string, size int) ([]byte, error) {
	buf := make([]byte, size)
	for at := 0; at < size; {
		n := 0
		err := retry(func() (err error) { n, err = syscall.Read(fd, buf[at:]); return err })
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return nil, ErrForeign
		}
		at += n
	}
	return buf, nil
}

func check(path string, st *syscall.Stat_t, kind uint32, what string) error {
	if uint32(st.Mode)&syscall.S_IFMT != kind { //nolint:unconvert // narrower on macOS
		return &UnsafeError{Path: path, What: what}
	}
	if int(st.Uid) != os.Geteuid() {
		return &UnsafeError{Path: path, What: "is owned by user " + strconv.Itoa(int(st.Uid)) + ", not by you (user " + strconv.Itoa(os.Geteuid()) + ")"}
	}
	if perm := uint64(st.Mode) & 0o777; perm&0o077 != 0 {
		return &UnsafeError{Path: path, What: "is open to other users (mode 0" + strconv.FormatUint(perm, 8) + ")"}
	}
	return nil
}

func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func isAbs(path string) bool { return path != "" && path[0] == '/' }
