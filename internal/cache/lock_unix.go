//go:build unix

package cache

import "syscall"

const noFollow = syscall.O_NOFOLLOW | syscall.O_CLOEXEC

// unlockable are the errors with which a file system says that it has no locks (flock(2), and what NFS, FUSE and
// overlay mounts answer in its place).
var unlockable = []error{
	syscall.ENOLCK, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EINVAL, syscall.EIO, syscall.EBADF,
}
