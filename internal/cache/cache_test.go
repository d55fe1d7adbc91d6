//go:build unix

package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"crossrole/internal/cache/sealed"
)

const key = "session-00ff"

var (
	meta   = Meta{Profile: "prod", Who: "arn:aws:sts::222222222222:assumed-role/admin/me", Made: time.Unix(1_700_000_000, 0).UTC(), Expires: time.Unix(1_700_003_600, 0).UTC()}
	secret = []byte("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
)

// fakeKeys is a system that keeps a key in memory, for as long as it pleases.
type fakeKeys struct {
	key          *sealed.Key
	refuse       error
	finds, makes int
}

func (k *fakeKeys) protection() sealed.Protection { return sealed.Kernel }

func (k *fakeKeys) find() (*sealed.Key, error) {
	k.finds++
	if k.key == nil {
		return nil, errors.New("no key")
	}
	return k.key, nil
}

func (k *fakeKeys) make() (*sealed.Key, error) {
	k.makes++
	if k.refuse != nil {
		return nil, k.refuse
	}
	k.key = newKey()
	return k.key, nil
}

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = filepath.Join(t.TempDir(), "cache")
	}
	if opts.keys == nil {
		opts.keys = &fakeKeys{}
	}
	s, err := Open(opts)
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, f *Folder, want []byte) {
	t.Helper()
	got, m, ok, err := f.Get(key)
	if err != nil || ok != (want != nil) || !bytes.Equal(got, want) || ok && m != meta {
		t.Errorf("got %q, %+v, %v, %v; want %q", got, m, ok, err, want)
	}
}

func TestPutGetDelete(t *testing.T) {
	for _, mode := range []Mode{Auto, Keyring, File} {
		f := open(t, Options{Mode: mode}).Folder("sessions")
		get(t, f, nil)
		must(t, f.Put(key, secret, meta))
		get(t, f, secret)
		must(t, f.Put(key, []byte("new"), meta))
		get(t, f, []byte("new"))
		must(t, f.Delete(key))
		must(t, f.Delete(key))
		get(t, f, nil)
	}
}

func TestFilesAreOursAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "a", "b", "cache")
	f := open(t, Options{Dir: dir}).Folder("sessions")
	must(t, f.Put(key, secret, meta))
	for path, want := range map[string]os.FileMode{dir: 0o700, f.dir: 0o700, filepath.Dir(dir): 0o700, f.Path(key): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}

func TestProtectionOfEachMode(t *testing.T) {
	forbidden := errors.New("operation not permitted")
	for _, c := range []struct {
		mode   Mode
		refuse error
		want   sealed.Protection
		plain  bool // the value can be read in the file
	}{
		{Auto, nil, sealed.Kernel, false},
		{Auto, forbidden, sealed.Plain, true},
		{Keyring, nil, sealed.Kernel, false},
		{File, nil, sealed.Plain, true},
	} {
		s := open(t, Options{Mode: c.mode, keys: &fakeKeys{refuse: c.refuse}})
		p, why, err := s.Protection()
		if err != nil || p != c.want || !errors.Is(why, c.refuse) {
			t.Errorf("%s: %v, %v, %v", c.mode, p, why, err)
		}
		f := s.Folder("sessions")
		must(t, f.Put(key, secret, meta))
		get(t, f, secret)
		file, err := os.ReadFile(f.Path(key))
		must(t, err)
		if bytes.Contains(file, secret) != c.plain {
			t.Errorf("%s: the value in the file: %v", c.mode, !c.plain)
		}
	}
}

func TestKeyringDemandsAKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	must(t, open(t, Options{Dir: dir, Mode: File}).Folder("sessions").Put(key, secret, meta))
	f := open(t, Options{Dir: dir, Mode: Keyring, keys: &fakeKeys{refuse: syscall.EPERM}}).Folder("sessions")
	get(t, f, nil) // a plain entry is not taken
	err := f.Put(key, secret, meta)
	var uncached *UncachedError
	if !errors.As(err, &uncached) || !errors.Is(err, syscall.EPERM) {
		t.Errorf("put without a key: %v", err)
	}
}

func TestALostKeyIsAMissThatHeals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	must(t, open(t, Options{Dir: dir}).Folder("sessions").Put(key, secret, meta))
	f := open(t, Options{Dir: dir, keys: &fakeKeys{}}).Folder("sessions")
	get(t, f, nil)
	must(t, f.Put(key, secret, meta))
	get(t, f, secret)
}

func TestTheKeyIsAskedForOnce(t *testing.T) {
	keys := &fakeKeys{}
	f := open(t, Options{keys: keys}).Folder("sessions")
	for range 5 {
		must(t, f.Put(key, secret, meta))
		get(t, f, secret)
	}
	if keys.makes != 1 || keys.finds > 3 {
		t.Errorf("made %d times, found %d times", keys.makes, keys.finds)
	}
}

func TestBadEntriesAreMissesThatHeal(t *testing.T) {
	s := open(t, Options{})
	f := s.Folder("sessions")
	must(t, f.Put(key, secret, meta))
	must(t, f.Put("session-other", []byte("another role's"), meta))
	good, err := os.ReadFile(f.Path(key))
	must(t, err)
	other, err := os.ReadFile(f.Path("session-other"))
	must(t, err)
	newer := bytes.Clone(good)
	newer[6]++
	for what, file := range map[string][]byte{
		"empty": {}, "truncated": good[:len(good)-1], "foreign": []byte("{}"), "newer": newer, "swapped": other,
		"huge": make([]byte, sealed.MaxSize+1),
	} {
		must(t, os.WriteFile(f.Path(key), file, 0o600))
		if got, _, ok, err := f.Get(key); ok || err != nil {
			t.Errorf("%s: got %q, %v", what, got, err)
		}
		must(t, f.Put(key, secret, meta))
		get(t, f, secret)
	}
}

func TestKeysAreFileNames(t *testing.T) {
	f := open(t, Options{}).Folder("sessions")
	for _, bad := range []string{"", ".", "..", "../x", "a/b", `a\b`, "A", "a.b", "a b", "a\x00", "é", strings.Repeat("a", 121)} {
		_, _, _, getErr := f.Get(bad)
		_, lockErr := f.Lock(t.Context(), bad)
		for _, err := range []error{getErr, lockErr, f.Put(bad, nil, meta), f.Delete(bad)} {
			if err == nil {
				t.Errorf("%q was taken for a key", bad)
			}
		}
	}
}

func TestListOpensNothing(t *testing.T) {
	keys := &fakeKeys{}
	s := open(t, Options{keys: keys})
	f := s.Folder("sessions")
	if all, err := f.List(); err != nil || all != nil {
		t.Errorf("an empty cache lists %v, %v", all, err)
	}
	must(t, f.Put("b", secret, meta))
	must(t, f.Put("a", secret, Meta{Profile: "dev", Who: "me", Made: meta.Made, Expires: meta.Expires}))
	must(t, os.WriteFile(f.Path("c"), []byte("not an entry"), 0o600))
	must(t, os.WriteFile(filepath.Join(f.dir, "README"), []byte("not ours"), 0o600))
	keys.finds = 0
	got, err := f.List()
	want := []Listed{
		{Meta{Profile: "dev", Who: "me", Made: meta.Made, Expires: meta.Expires}, "a", sealed.Kernel},
		{meta, "b", sealed.Kernel},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if keys.finds != 0 {
		t.Error("listing looked for the key")
	}
}

func TestClear(t *testing.T) {
	f := open(t, Options{}).Folder("sessions")
	if n, err := f.Clear(nil); n != 0 || err != nil {
		t.Errorf("an empty cache: %d, %v", n, err)
	}
	dev := meta
	dev.Profile = "dev"
	must(t, f.Put("a", secret, meta))
	must(t, f.Put("b", secret, dev))
	must(t, os.WriteFile(f.Path("c"), []byte("damaged"), 0o644))
	unlock, err := f.Lock(t.Context(), "a")
	must(t, err)
	n, err := f.Clear(func(l Listed) bool { return l.Profile == "prod" })
	if all, _ := f.List(); n != 1 || err != nil || len(all) != 1 || all[0].Key != "b" {
		t.Errorf("clearing one profile: %d, %v, left %v", n, err, all)
	}
	n, err = f.Clear(nil)
	if n != 2 || err != nil {
		t.Errorf("clearing all: %d, %v", n, err)
	}
	names := files(t, f.dir)
	if len(names) != 1 || names[0] != "a.lock" {
		t.Errorf("left %v, want the lock that is held", names)
	}
	unlock()
	_, err = f.Clear(nil)
	must(t, err)
	if names := files(t, f.dir); len(names) != 0 {
		t.Errorf("left %v", names)
	}
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

func TestSweep(t *testing.T) {
	f := open(t, Options{}).Folder("memos")
	must(t, f.Sweep(time.Now()))
	for _, k := range []string{"old", "new"} {
		must(t, f.Put(k, secret, meta))
	}
	for _, temp := range []string{tempPrefix + "old", tempPrefix + "new"} {
		must(t, os.WriteFile(filepath.Join(f.dir, temp), nil, 0o600))
	}
	long := time.Now().Add(-24 * time.Hour)
	must(t, os.Chtimes(f.Path("old"), long, long))
	must(t, os.Chtimes(filepath.Join(f.dir, tempPrefix+"old"), long, long))
	must(t, f.Sweep(time.Now().Add(-12*time.Hour)))
	if got := strings.Join(files(t, f.dir), " "); got != tempPrefix+"new new.entry" {
		t.Errorf("left %s", got)
	}
}

func TestParseMode(t *testing.T) {
	for in, want := range map[string]Mode{"": Auto, "auto": Auto, "keyring": Keyring, "file": File, "off": Off} {
		if got, err := ParseMode(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := ParseMode("on\n"); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("a bad mode: %v", err)
	}
}

func TestOffOpensNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	if s, err := Open(Options{Dir: dir, Mode: Off}); s != nil || err != nil {
		t.Errorf("got %v, %v", s, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder was made")
	}
}

func TestOpenWhereNothingCanBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(Options{Dir: filepath.Join(file, "cache")})
	var uncached *UncachedError
	if !errors.As(err, &uncached) {
		t.Errorf("got %v", err)
	}
}

func TestUnsafeFoldersAndFilesAreRefused(t *testing.T) {
	refused := func(what string, err error) {
		t.Helper()
		var unsafe *sealed.UnsafeError
		if !errors.As(err, &unsafe) {
			t.Errorf("%s: %v", what, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "cache")
	s := open(t, Options{Dir: dir})
	f := s.Folder("sessions")
	must(t, f.Put(key, secret, meta))

	must(t, os.Chmod(f.Path(key), 0o644))
	_, _, _, err := f.Get(key)
	refused("get of an open file", err)
	refused("put over an open file", f.Put(key, secret, meta))
	_, err = f.List()
	refused("list", err)
	must(t, os.Remove(f.Path(key)))

	target := filepath.Join(t.TempDir(), "target")
	must(t, os.WriteFile(target, []byte("mine"), 0o600))
	must(t, os.Symlink(target, f.Path(key)))
	_, _, _, err = f.Get(key)
	refused("get through a link", err)
	refused("put through a link", f.Put(key, secret, meta))
	must(t, os.Symlink(target, f.lockPath(key)))
	_, err = f.Lock(t.Context(), key)
	refused("lock of a link", err)
	if got, _ := os.ReadFile(target); string(got) != "mine" {
		t.Errorf("the link's target is now %q", got)
	}

	must(t, os.Chmod(f.dir, 0o755))
	_, _, _, err = f.Get("none")
	refused("get from an open folder", err)
	refused("put into an open folder", f.Put("none", secret, meta))
	_, err = f.Lock(t.Context(), "none")
	refused("lock in an open folder", err)
	_, err = f.List()
	refused("list of an open folder", err)
	_, err = f.Clear(nil)
	refused("clear of an open folder", err)
	must(t, os.Chmod(dir, 0o755))
	_, err = Open(Options{Dir: dir})
	refused("open", err)
}
