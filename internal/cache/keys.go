package cache

import (
	"crypto/rand"

	"crossrole/internal/cache/sealed"
)

// keySource is where a system keeps our key. It holds one small key and never a session: system stores have size caps
// and ask the person again and again.
type keySource interface {
	protection() sealed.Protection
	// find returns the key, or why there is none.
	find() (*sealed.Key, error)
	// make makes the key, in place of one that can't be used. The caller holds the lock of key making.
	make() (*sealed.Key, error)
}

func newKey() *sealed.Key {
	var key sealed.Key
	_, _ = rand.Read(key[:]) // never fails: it ends the process rather than give bad bytes
	return &key
}
