package cache

import (
	"errors"

	"crossrole/internal/cache/sealed"
)

// wrappedKeys keeps the key in a file of the cache's folder, encrypted by the system for the user who is logged on.
type wrappedKeys struct {
	wrap, unwrap func([]byte) ([]byte, error)
	path         string
	save         func(path string, data []byte) error
}

func (wrappedKeys) protection() sealed.Protection { return sealed.DPAPI }

func (w wrappedKeys) find() (*sealed.Key, error) {
	file, err := sealed.ReadFile(w.path)
	if err != nil {
		return nil, err
	}
	raw, err := w.unwrap(file)
	if err != nil {
		return nil, err
	}
	if len(raw) != sealed.KeySize {
		return nil, errors.New("the protected key has the wrong size")
	}
	key := sealed.Key(raw)
	return &key, nil
}

func (w wrappedKeys) make() (*sealed.Key, error) {
	file, err := w.wrap(newKey()[:])
	if err != nil {
		return nil, err
	}
	if err := w.save(w.path, file); err != nil {
		return nil, err
	}
	return w.find()
}
