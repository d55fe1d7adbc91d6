//go:build !unix

package sealed

import (
	"io"
	"os"
	"path/filepath"
)

// CheckDir refuses what is not a folder. Who may open it is the business of the folder's access list.
func CheckDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &UnsafeError{Path: dir, What: "is not a folder"}
	}
	return nil
}

// ReadFile reads an entry's file; it refuses a link, a device or a folder.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &UnsafeError{Path: path, What: "is not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		return nil, ErrTooBig
	}
	return data, err
}

func isAbs(path string) bool { return filepath.IsAbs(path) }
