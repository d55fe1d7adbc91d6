// Package cache keeps opaque bytes under a key for every process of one user: written atomically, locked by the
// kernel, protected at rest by what the system gives for nearly nothing.
//
// A cache is allowed to forget and never allowed to be wrong. What can't be read (truncated, foreign, of a newer
// version, sealed with a key that is gone) is a miss, and the next Put heals it. What others could have written or
// could read is refused with a *sealed.UnsafeError that names it. A cache that can't be written, or whose file system
// can't lock, says so with an *UncachedError or *UnlockedError: the caller works on without, and warns once.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"crossrole/internal/cache/sealed"
)

// Meta is what is known of an entry without opening it; none of it is secret.
type Meta = sealed.Meta

// Mode says how entries are protected at rest.
type Mode string

// The modes, as CROSSROLE_CACHE names them.
const (
	Auto    Mode = "auto"    // the system's key where there is one, else File
	Keyring Mode = "keyring" // the system's key, or nothing is written
	File    Mode = "file"    // the file's mode and owner alone
	Off     Mode = "off"     // no cache
)

// ParseMode reads a mode; empty is Auto.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Auto, nil
	case Auto, Keyring, File, Off:
		return m, nil
	}
	return "", fmt.Errorf("the cache can be auto, keyring, file or off, not %q", s)
}

// UncachedError means that this cache can't be written here: a read-only or full disk, no home, no key where one is
// demanded. Nothing is broken; the caller works without it.
type UncachedError struct{ Err error }

// Error says why nothing is kept.
func (e *UncachedError) Error() string { return "no cache: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UncachedError) Unwrap() error { return e.Err }

// Options say where a cache is and how it protects.
type Options struct {
	Dir  string // its folder; see sealed.Root
	Mode Mode

	keys keySource                              // for tests; nil means the system's
	step func(op string) error                  // for tests: asked before each step of a write
	lock func(path string) (locker, error)      // for tests; nil means flock
	tick func(ctx context.Context, n int) error // for tests; nil means a short sleep
}

// Store is an open cache. Its methods may be called from many goroutines and processes.
type Store struct {
	opts Options
	keys keySource
	kept keptKey
}

// keptKey is the key once found: one look-up per process, and one making.
type keptKey struct {
	mu  sync.Mutex
	key *sealed.Key
}

// Open makes the cache's folder, if it is not there, and checks that it is ours alone. A cache of Mode Off is nil: the
// nil *Store is not to be used. It fails with *UncachedError or *sealed.UnsafeError.
func Open(opts Options) (*Store, error) {
	if opts.Mode == Off {
		return nil, nil
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, &UncachedError{err}
	}
	opts.Dir = dir
	s := &Store{opts: opts, keys: opts.keys}
	if s.keys == nil {
		s.keys = systemKeys(dir, s)
	}
	return s, ensureDir(dir)
}

// ensureDir makes the folder below parents of the default mode, and refuses one that is not ours alone.
func ensureDir(dir string) error {
	err := sealed.CheckDir(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return uncached(err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return &UncachedError{err}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return &UncachedError{err}
	}
	return uncached(sealed.CheckDir(dir))
}

// uncached keeps a refusal as it is, and makes every other failure an *UncachedError.
func uncached(err error) error {
	var unsafe *sealed.UnsafeError
	if err == nil || errors.As(err, &unsafe) {
		return err
	}
	return &UncachedError{err}
}

// Folder is a part of the cache with entries of one kind.
type Folder struct {
	store *Store
	dir   string
}

// Folder returns the part called name, made when it is first written.
func (s *Store) Folder(name string) *Folder {
	return &Folder{store: s, dir: filepath.Join(s.opts.Dir, name)}
}

// Path returns the file in which the entry under key is kept.
func (f *Folder) Path(key string) string { return filepath.Join(f.dir, key+sealed.Suffix) }

// Get returns the value under key and what was said of it. A miss is no error: ok is false. The error is a
// *sealed.UnsafeError.
func (f *Folder) Get(key string) (value []byte, meta Meta, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, Meta{}, false, err
	}
	if err := sealed.CheckDir(f.dir); err != nil {
		return nil, Meta{}, false, onlyUnsafe(err)
	}
	file, err := sealed.ReadFile(f.Path(key))
	if err != nil {
		return nil, Meta{}, false, onlyUnsafe(err)
	}
	e, unreadable := sealed.Decode(key, file, f.store.find)
	if unreadable != nil || !f.store.accepts(e.Protection) {
		return nil, Meta{}, false, nil //nolint:nilerr // an entry that can't be read is a miss
	}
	return e.Value, e.Meta, true, nil
}

func onlyUnsafe(err error) error {
	var unsafe *sealed.UnsafeError
	if errors.As(err, &unsafe) {
		return err
	}
	return nil
}

// accepts says whether an entry of that protection may be used: who demands a key does not take what has none.
func (s *Store) accepts(p sealed.Protection) bool {
	return s.opts.Mode != Keyring || p != sealed.Plain
}

// find is the sealed.Keys of reading: it makes no key.
func (s *Store) find(p sealed.Protection) (*sealed.Key, error) {
	if p != s.keys.protection() {
		return nil, errors.ErrUnsupported
	}
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	if s.kept.key != nil {
		return s.kept.key, nil
	}
	key, err := s.keys.find()
	if err == nil {
		s.kept.key = key
	}
	return key, err
}

// Protection says what new entries are protected by, finding or making the key as Put does. It fails with
// *UncachedError where the mode demands a key and there is none to be had; why is the reason that Auto fell back to the
// file's mode.
func (s *Store) Protection() (p sealed.Protection, why, err error) {
	_, p, why, err = s.sealer()
	return p, why, err
}

func (s *Store) sealer() (key *sealed.Key, p sealed.Protection, why, err error) {
	if s.opts.Mode == File {
		return nil, sealed.Plain, nil, nil
	}
	p = s.keys.protection()
	if key, why = s.find(p); why != nil {
		key, why = s.makeKey()
	}
	if why == nil {
		return key, p, nil, nil
	}
	if s.opts.Mode == Keyring {
		return nil, p, why, &UncachedError{fmt.Errorf("no key to protect it with: %w", why)}
	}
	return nil, sealed.Plain, why, nil
}

// makeKey makes the user's key, once for all processes: the second finds the first one's.
func (s *Store) makeKey() (*sealed.Key, error) {
	if s.keys.protection() == sealed.Plain {
		return nil, errors.ErrUnsupported
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	unlock, err := s.lockFile(ctx, filepath.Join(s.opts.Dir, "key.lock"))
	var unlocked *UnlockedError
	if err != nil && !errors.As(err, &unlocked) {
		return nil, err
	}
	defer unlock()
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	key, err := s.keys.find()
	if err != nil {
		key, err = s.keys.make()
	}
	if err != nil {
		return nil, err
	}
	s.kept.key = key
	return key, nil
}

// Put keeps value under key, replacing what was there in one step. It fails with *UncachedError or
// *sealed.UnsafeError, and then what was there still is.
func (f *Folder) Put(key string, value []byte, meta Meta) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ensureDir(f.dir); err != nil {
		return err
	}
	if err := checkReplaceable(f.Path(key)); err != nil {
		return err
	}
	seal, p, _, err := f.store.sealer()
	if err != nil {
		return err
	}
	file, err := sealed.Encode(key, sealed.Entry{Meta: meta, Protection: p, Value: value}, seal)
	if err != nil {
		return &UncachedError{err}
	}
	if err := f.store.replace(f.dir, f.Path(key), file); err != nil {
		return &UncachedError{fmt.Errorf("writing a cache entry: %w", err)}
	}
	return nil
}

// checkReplaceable refuses to replace what we would refuse to read.
func checkReplaceable(path string) error {
	_, err := sealed.ReadFile(path)
	return onlyUnsafe(err)
}

// Delete forgets the entry under key; none is no error.
func (f *Folder) Delete(key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := os.Remove(f.Path(key))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("forgetting a cache entry: %w", err)
}

// checkKey lets only names through that are one plain file name everywhere: lower-case letters, digits and dashes.
func checkKey(key string) error {
	if key == "" || len(key) > 120 || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is no key of a cache entry", key)
	}
	return nil
}
