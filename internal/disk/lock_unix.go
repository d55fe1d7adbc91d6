//go:build unix

package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// foldersLock says that a lock leaves no file behind.
const foldersLock = true

// noWait opens a pipe, should one have been put in a file's place meanwhile, without waiting for somebody to write to it.
const noWait = syscall.O_NONBLOCK

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

// lockIsEverybodys tells a folder that other users can open: who can do that can lock it.
func lockIsEverybodys(folder string) bool {
	info, err := os.Stat(folder)
	return err == nil && info.Mode().Perm()&0o044 != 0
}

// checkOld refuses to put secrets in the place of another user's file with that file's mode, if everybody may read or
// write it: somebody has put it there to read them.
func checkOld(old fs.FileInfo) error {
	s, ok := old.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() == 0 || int(s.Uid) == os.Geteuid() || old.Mode().Perm()&0o006 == 0 {
		return nil
	}
	return fmt.Errorf("the file that is there is user %d's and open to everybody (mode %#o)", s.Uid, old.Mode().Perm())
}

// checkLink refuses a symbolic link that another user put into a folder that is everybody's. Linux refuses it in those that
// have the sticky bit, such as /tmp, where fs.protected_symlinks is on (proc(5)); but we follow links ourselves, and the
// kernel doesn't see it.
func checkLink(path string) error {
	link, err := os.Lstat(path)
	if err != nil {
		return err
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	of, ok := link.Sys().(*syscall.Stat_t)
	above, ok2 := folder.Sys().(*syscall.Stat_t)
	everybodys := folder.Mode().Perm()&0o002 != 0
	if !ok || !ok2 || !everybodys || int(of.Uid) == os.Geteuid() || of.Uid == above.Uid {
		return nil
	}
	return fmt.Errorf("it is a symbolic link that user %d put into a folder that everybody can write to", of.Uid)
}
