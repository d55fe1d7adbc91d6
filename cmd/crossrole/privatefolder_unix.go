//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// checkBase refuses a folder whose entries another user may rename: they could take ours away, and clients would read
// theirs. The sticky bit, which every system's /tmp has, forbids that.
func checkBase(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&os.ModeSticky != 0 {
		return nil
	}
	if owner := int(st.Uid); owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%q is user %d's, who can replace what is in it", dir, owner)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody can replace what is in %q: it has no sticky bit", dir)
	}
	return nil
}
