//go:build !linux

package sealed

import "errors"

// KernelKey finds nothing: only Linux has a keyring in its kernel.
func KernelKey(string) (*Key, error) { return nil, errors.ErrUnsupported }
