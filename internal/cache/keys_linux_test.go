package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"crossrole/internal/cache/sealed"
)

// systemKeysCalled is the system's own place for keys, under a name that only this test uses. A name that ends in
// ":stranger" is looked up from a login session that does not possess the user's keyring.
func systemKeysCalled(name string) keySource {
	name, stranger := strings.CutSuffix(name, ":stranger")
	if stranger {
		runtime.LockOSThread() // a session keyring belongs to a thread
		if _, err := unix.KeyctlJoinSessionKeyring(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	return kernelKeys{name: name}
}

func init() { helpers["get"] = helperGet }

// helperGet reads an entry in a process of its own and prints it.
func helperGet(args []string) {
	s, err := Open(Options{Dir: args[0], keys: systemKeysCalled(args[1])})
	if err != nil {
		os.Exit(1)
	}
	value, _, ok, err := s.Folder("sessions").Get(key)
	fmt.Println(string(value), ok, err)
	os.Exit(0)
}

// forget removes the test's key from the user's keyring.
func forget(name string) {
	if id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", name, 0); err == nil {
		_, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
	}
}

func TestKernelKeyring(t *testing.T) {
	name := fmt.Sprintf("crossrole:test:%d", os.Getpid())
	t.Cleanup(func() { forget(name) })
	dir := filepath.Join(t.TempDir(), "cache")
	s := open(t, Options{Dir: dir, keys: kernelKeys{name: name}})
	f := s.Folder("sessions")
	p, why, err := s.Protection()
	must(t, err)
	must(t, f.Put(key, secret, meta))
	get(t, f, secret)
	want := string(secret) + " true <nil>\n"
	if p == sealed.Plain {
		if !errors.Is(why, unix.EPERM) && !errors.Is(why, unix.ENOSYS) && !errors.Is(why, unix.EACCES) {
			t.Fatalf("fell back to plain files because of %v", why)
		}
	} else {
		sealedOnDisk(t, f)
	}
	for _, reader := range []string{name, name + ":stranger"} {
		if p == sealed.Plain {
			reader = name // where keys are forbidden there are no sessions to join either
		}
		out, err := helper("get", dir, reader).Output()
		if err != nil || string(out) != want {
			t.Errorf("read as %s: %q, %v", reader, out, err)
		}
	}
	forget(name)
	want = " false <nil>\n"
	if p == sealed.Plain {
		want = string(secret) + " true <nil>\n"
	}
	if out, err := helper("get", dir, name).Output(); err != nil || string(out) != want {
		t.Errorf("after the key was lost: %q, %v", out, err)
	}
}

func sealedOnDisk(t *testing.T, f *Folder) {
	t.Helper()
	file, err := os.ReadFile(f.Path(key))
	must(t, err)
	if strings.Contains(string(file), string(secret)) {
		t.Error("the value stands in the file")
	}
}

// Who is another user does not get the key by possessing it, as a program does that `sudo -u` or `su` started with our
// session keyring in its hands.
func TestPossessionIsNotEnough(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	name := fmt.Sprintf("crossrole:test:possessed:%d", os.Getpid())
	t.Cleanup(func() { forget(name) })
	if _, err := (kernelKeys{name: name}).make(); err != nil {
		t.Skipf("the kernel's keyring can't be used here: %v", err)
	}
	found := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, which is somebody else then, ends with the goroutine
		found <- searchAsAnother(name)
	}()
	if err := <-found; !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOKEY) {
		t.Errorf("another user who possesses the key: %v", err)
	}
}

func searchAsAnother(name string) error {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", name, 0)
	if err != nil {
		return err
	}
	ring, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_THREAD_KEYRING, true)
	if err != nil {
		return err
	}
	if _, err := unix.KeyctlInt(unix.KEYCTL_LINK, id, ring, 0, 0); err != nil {
		return err
	}
	const stranger = 61002
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, stranger, stranger, stranger); errno != 0 { // of this thread alone
		return errno
	}
	if _, err := unix.KeyctlSearch(unix.KEY_SPEC_THREAD_KEYRING, "user", name, 0); err != nil {
		return err
	}
	_, err = unix.KeyctlBuffer(unix.KEYCTL_READ, id, make([]byte, sealed.KeySize), 0)
	return err
}
