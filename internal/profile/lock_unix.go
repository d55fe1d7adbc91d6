//go:build unix

package profile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// foldersLock says that a lock leaves no file behind.
const foldersLock = true

// lockPlace is the folder itself: the file's own inode changes with every
// edit, and a lock file would stay behind.
func lockPlace(target string) (string, []flock.Option) {
	return filepath.Dir(target), []flock.Option{flock.SetFlag(os.O_RDONLY)}
}

// sameOwner matters to root alone: anybody else owns the old file already, or
// may not give the new one away.
func sameOwner(file *os.File, old fs.FileInfo) error {
	s, ok := old.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return file.Chown(int(s.Uid), int(s.Gid))
}
