package disk

import "os"

// ID is what tells one state of a file from another: the same ID twice means
// that the file was neither edited nor replaced in between. (A change within the
// file system's clock tick that keeps the size can hide from it: don't rely on a
// file changed less than a second ago.)
type ID struct {
	Path    string
	Exists  bool
	Device  uint64 // 0 where the system has none
	Inode   uint64 // 0 where the system has none
	Size    int64  // bytes
	ModTime int64  // nanoseconds since 1970
	Changed int64  // inode change time in nanoseconds since 1970, 0 where the system has none
}

// Identify gives the identity that a file has now, through symbolic links. A
// missing file is no error: its Exists is false. The error does not name the file.
func Identify(path string) (ID, error) {
	if path == "" {
		return ID{}, nil
	}
	info, err := os.Stat(path)
	switch {
	case Missing(err):
		return ID{Path: path}, nil
	case err != nil:
		return ID{}, Bare(err)
	}
	return IDOf(path, info), nil
}
