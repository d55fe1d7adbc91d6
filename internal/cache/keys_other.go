//go:build !linux && !darwin && !windows

package cache

import (
	"errors"

	"crossrole/internal/cache/sealed"
)

func systemKeys(string, *Store) keySource { return noKeys{} }

// noKeys is a system that keeps no keys for us.
type noKeys struct{}

func (noKeys) protection() sealed.Protection { return sealed.Plain }
func (noKeys) find() (*sealed.Key, error)    { return nil, errors.ErrUnsupported }
func (noKeys) make() (*sealed.Key, error)    { return nil, errors.ErrUnsupported }
