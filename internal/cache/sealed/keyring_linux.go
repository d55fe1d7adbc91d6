package sealed

import (
	"errors"
	"syscall"
	"unsafe"
)

// The key is a "user" key in the user's own keyring (@u), which every process of the user reaches, in whatever login
// session it runs. The session keyring would be another one in each login, and the user-session keyring is only a
// fallback for it. See keyctl(2), user-keyring(7).
const (
	userKeyring   = ^uintptr(3) // KEY_SPEC_USER_KEYRING, -4
	keyctlSearch  = 10
	keyctlRead    = 11
	keyType       = "user\x00"
	keyBufferSize = KeySize + 1
)

var errNotAKey = errors.New("the key in the kernel keyring is not one of ours")

// KernelKey finds the key called name in the Linux kernel keyring. It makes none: ENOKEY if there is none, EPERM or
// ENOSYS where a container forbids the calls.
func KernelKey(name string) (*Key, error) {
	desc, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	serial, _, errno := syscall.Syscall6(syscall.SYS_KEYCTL, keyctlSearch, userKeyring,
		uintptr(unsafe.Pointer(unsafe.StringData(keyType))), uintptr(unsafe.Pointer(desc)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	var buf [keyBufferSize]byte
	n, _, errno := syscall.Syscall6(syscall.SYS_KEYCTL, keyctlRead, serial, uintptr(unsafe.Pointer(&buf[0])), keyBufferSize, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	if n != KeySize {
		return nil, errNotAKey
	}
	key := Key(buf[:KeySize])
	return &key, nil
}
