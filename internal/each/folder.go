package each

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// inFolder gives each target files of its own.
type inFolder struct {
	noOutput
	dir   string
	names []string // by the target's index
	make  func(name string) (*os.File, error)
}

func newInFolder(dir string, list []Target) (*inFolder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the output folder: %w", err)
	}
	s := &inFolder{dir: dir, make: openOutput}
	used := map[string]bool{}
	for _, t := range list {
		name := fileName(t)
		for used[strings.ToLower(name)] { // some file systems know no case
			name += "~"
		}
		used[strings.ToLower(name)] = true
		s.names = append(s.names, name)
	}
	return s, nil
}

func (s *inFolder) open(r *outcome) (*streams, error) {
	name := filepath.Join(s.dir, s.names[r.index])
	out, err := s.make(name + ".out")
	if err != nil {
		return nil, err
	}
	errs, err := s.make(name + ".err")
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	st, err := tapped(out, errs, out.Close, errs.Close)
	if err != nil {
		_, _ = out.Close(), errs.Close()
	}
	return st, err
}

// openOutput makes the file anew: one that somebody put there, or a link, gets nothing of the output. A device, such as
// /dev/null, is written to as it is.
func openOutput(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && info.Mode()&fs.ModeCharDevice != 0 {
		return os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replacing the output file: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the output file: %w", err)
	}
	return f, nil
}

// fileName makes a target's name one part of a path: what could lead elsewhere
// or hide is written as its bytes, so that no two targets share a file.
func fileName(t Target) string {
	name := t.Profile
	if t.Region != "" {
		name += "." + t.Region
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-_@+=,", c) >= 0, c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
