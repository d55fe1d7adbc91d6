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
