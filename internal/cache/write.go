package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"crossrole/internal/disk"
)

const (
	tempPrefix = ".tmp-"
	// tempAge is how old a temporary file must be before it is taken for one of a killed writer.
	tempAge = time.Hour
)

// replace writes a new file beside path, brings it to the disk and renames it over path: whenever it is interrupted,
// path is the old file or the new one.
func (s *Store) replace(dir, path string, data []byte) error {
	temp, err := s.writeTemp(dir, data)
	if err == nil {
		err = s.at("rename")
	}
	if err == nil {
		err = disk.Rename(temp, path)
	}
	if err != nil && temp != "" {
		return errors.Join(err, ignoreMissing(os.Remove(temp)))
	}
	return err
}

func (s *Store) writeTemp(dir string, data []byte) (name string, err error) {
	if err := s.at("create"); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := s.write(f, data); err != nil {
		return f.Name(), err
	}
	if err := s.at("sync"); err != nil {
		return f.Name(), err
	}
	return f.Name(), f.Sync()
}

// write gives the data in one call, or, where a test listens, in pieces, so that it can fall between two of them.
func (s *Store) write(f *os.File, data []byte) error {
	size := len(data)
	if s.opts.step != nil {
		size = 16
	}
	for len(data) > 0 {
		if err := s.at("write"); err != nil {
			return err
		}
		n := min(size, len(data))
		if _, err := f.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (s *Store) at(op string) error {
	if s.opts.step == nil {
		return nil
	}
	return s.opts.step(op)
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Sweep removes what nobody will use any more: entries not written since before, and what killed writers left behind.
func (f *Folder) Sweep(before time.Time) error {
	files, err := os.ReadDir(f.dir)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, file := range files {
		limit := before
		switch {
		case strings.HasPrefix(file.Name(), tempPrefix):
			limit = time.Now().Add(-tempAge)
		case !isEntry(file.Name()):
			continue
		}
		info, infoErr := file.Info()
		if infoErr == nil && info.ModTime().Before(limit) {
			err = errors.Join(err, ignoreMissing(os.Remove(filepath.Join(f.dir, file.Name()))))
		}
	}
	return err
}
