package cache

import "golang.org/x/sys/windows"

const noFollow = 0

// unlockable are the errors with which a file system says that it has no locks.
var unlockable = []error{
	windows.ERROR_NOT_SUPPORTED, windows.ERROR_INVALID_FUNCTION, windows.ERROR_CALL_NOT_IMPLEMENTED,
}
