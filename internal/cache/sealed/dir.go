package sealed

import (
	"errors"
	"os"
	"runtime"
)

// Suffix ends the name of every entry's file.
const Suffix = ".entry"

// KernelKeyName is the description of our key in the user's keyring of the Linux kernel.
const KernelKeyName = "crossrole:cache:1"

// ErrNoHome means that nothing says where the cache is: neither CROSSROLE_CACHE_DIR, nor XDG_CACHE_HOME, nor a home.
var ErrNoHome = errors.New("no home folder to keep a cache in")

// Root is the folder of the cache: CROSSROLE_CACHE_DIR, or crossrole below the user's cache folder (XDG_CACHE_HOME
// where it is absolute, as its specification asks; else the one that the system has for it).
func Root(getenv func(string) string) (string, error) {
	if dir := getenv("CROSSROLE_CACHE_DIR"); dir != "" {
		return dir, nil
	}
	if dir := getenv("XDG_CACHE_HOME"); isAbs(dir) {
		return Join(dir, "crossrole"), nil
	}
	if dir := getenv("LocalAppData"); runtime.GOOS == "windows" && isAbs(dir) {
		return Join(dir, "crossrole", "cache"), nil
	}
	home := getenv("HOME")
	if !isAbs(home) {
		return "", ErrNoHome
	}
	if runtime.GOOS == "darwin" {
		return Join(home, "Library", "Caches", "crossrole"), nil
	}
	return Join(home, ".cache", "crossrole"), nil
}

// Join puts names below a folder. It does what filepath.Join does for clean parts; that package would wake up half the
// program before it (its own name comes late in the order of initialisation).
func Join(dir string, names ...string) string {
	for _, name := range names {
		dir += string(os.PathSeparator) + name
	}
	return dir
}

// UnsafeError refuses a folder or file that others could have made, or can read or change.
type UnsafeError struct {
	Path string
	What string // what is wrong with it, as in "is owned by user 1001"
}

// Error says which path is refused and why.
func (e *UnsafeError) Error() string { return "refusing " + quote(e.Path) + ": it " + e.What }

// quote makes a path safe for a terminal; strconv.Quote is not worth its tables here.
func quote(s string) string {
	b := []byte{'"'}
	for i := range len(s) {
		const hex = "0123456789abcdef"
		switch c := s[i]; {
		case c < ' ' || c >= 0x7f:
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
