package cache

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"crossrole/internal/cache/sealed"
)

// Listed is one entry as a list shows it: nothing is opened for it.
type Listed struct {
	Meta
	Key        string
	Protection sealed.Protection
}

// List returns the folder's entries in the order of their keys. What can't be read as an entry is left out; what is
// refused stands in the joined error, and the rest is listed all the same.
func (f *Folder) List() ([]Listed, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	var all []Listed
	var refused error
	for _, file := range files {
		if !isEntry(file.Name()) {
			continue
		}
		key := strings.TrimSuffix(file.Name(), sealed.Suffix)
		data, err := sealed.ReadFile(f.Path(key))
		if err != nil {
			refused = errors.Join(refused, unlessForeign(err))
			continue
		}
		if e, _, err := sealed.Peek(data); err == nil {
			all = append(all, Listed{Meta: e.Meta, Key: key, Protection: e.Protection})
		}
	}
	return all, refused
}

// files are those of the folder; one that was never made has none.
func (f *Folder) files() ([]os.DirEntry, error) {
	err := sealed.CheckDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, uncached(err)
	}
	files, err := os.ReadDir(f.dir)
	return files, uncached(err)
}

// unlessForeign forgives an entry that is gone or is none.
func unlessForeign(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, sealed.ErrForeign) || errors.Is(err, sealed.ErrTooBig) {
		return nil
	}
	return err
}

func isEntry(name string) bool {
	key, ok := strings.CutSuffix(name, sealed.Suffix)
	return ok && checkKey(key) == nil
}

// Clear forgets every entry for which which says so (all of them if it is nil), whatever its state, and the lock files
// that nobody holds; it returns how many entries went. An entry that can't be read is passed with an empty Meta.
func (f *Folder) Clear(which func(Listed) bool) (int, error) {
	files, err := f.files()
	if err != nil {
		return 0, err
	}
	known, _ := f.List()
	gone := 0
	for _, file := range files {
		if name, ok := strings.CutSuffix(file.Name(), lockSuffix); ok && which == nil {
			f.store.removeLock(f.lockPath(name))
		}
		if !isEntry(file.Name()) {
			continue
		}
		key := strings.TrimSuffix(file.Name(), sealed.Suffix)
		if which != nil && !which(find(known, key)) {
			continue
		}
		if delErr := f.Delete(key); delErr != nil && !errors.Is(delErr, fs.ErrNotExist) {
			err = errors.Join(err, delErr)
			continue
		}
		gone++
	}
	return gone, err
}

func find(known []Listed, key string) Listed {
	at, ok := slices.BinarySearchFunc(known, key, func(l Listed, key string) int { return strings.Compare(l.Key, key) })
	if !ok {
		return Listed{Key: key}
	}
	return known[at]
}
