package cache

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"crossrole/internal/cache/sealed"
)

func systemKeys(string, *Store) keySource { return kernelKeys{name: sealed.KernelKeyName} }

// kernelKeys keeps the key in the user's keyring of the Linux kernel. It is gone after a reboot, and when the kernel
// drops the keyring some time after the user's last process: what it sealed is then a miss.
type kernelKeys struct{ name string }

// keyPerm lets every process of the user see, find, read and link the key, and nobody else do anything. Possession counts
// for nothing, either way: a login session whose session keyring does not link to the user's keyring (cron, some sshd and
// systemd set-ups) does not possess the key; and what `sudo -u` or `su` starts as another user may keep our session
// keyring, and so possess it. See keyctl_setperm(3).
const keyPerm = 0x00_1b_00_00

func (kernelKeys) protection() sealed.Protection { return sealed.Kernel }

func (k kernelKeys) find() (*sealed.Key, error) { return sealed.KernelKey(k.name) }

// make builds the key in the thread's own keyring, where it is possessed and its permissions can be set, and links it
// into the user's keyring when it is complete: nobody finds it half-made.
func (k kernelKeys) make() (*sealed.Key, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	key := newKey()
	id, err := unix.AddKey("user", k.name, key[:], unix.KEY_SPEC_THREAD_KEYRING)
	if err != nil {
		return nil, fmt.Errorf("adding a key to the kernel keyring: %w", err)
	}
	defer func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_THREAD_KEYRING, 0, 0) }()
	if err := unix.KeyctlSetperm(id, keyPerm); err != nil {
		return nil, fmt.Errorf("setting the permissions of the kernel's key: %w", err)
	}
	if _, err := unix.KeyctlInt(unix.KEYCTL_LINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0); err != nil {
		return nil, fmt.Errorf("linking the key into the user's keyring: %w", err)
	}
	return k.find()
}
