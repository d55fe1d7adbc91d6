//go:build unix

package each

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// ours are the flags that neither follow a link nor wait for the other end of a FIFO.
const ours = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// othersIn says how somebody else than the user (or root) could have put text into a file; empty: nobody.
func othersIn(info fs.FileInfo, user int) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != user && s.Uid != 0 {
		return "belongs to another user (" + strconv.Itoa(int(s.Uid)) + ")"
	}
	if info.Mode().Perm()&0o022 != 0 {
		return "may be written by others (mode " + strconv.FormatUint(uint64(info.Mode().Perm()), 8) + ")"
	}
	return ""
}

func userID() int { return os.Geteuid() }
