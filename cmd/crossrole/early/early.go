// Package early answers `crossrole assume` from memory before the rest of the program wakes up. That is its one
// purpose, and importing it is its one use.
//
// A credential_process is run for every process of every SDK, hundreds at once, and most of what such a run costs is
// the initialisation of what it will not need: the SDK, TLS, the command line. Go initialises packages by import path,
// each as soon as what it imports is ready (go.dev/ref/spec, Program initialization; the order is fixed since Go 1.21).
// This package imports little, and its path comes before nearly all others: its init runs when the runtime, os and
// AES are there and nothing else is.
//
// It knows nothing of profiles, sessions or formats. An ordinary run that wrote credentials to stdout left the very
// bytes behind as a memo, together with all that they depend on; package remember, which the ordinary path asks too,
// judges whether that still holds. If it does, the bytes are written and the process ends. In every other case, without
// exception, nothing has happened and the ordinary path runs as if this package were not there.
//
// A test builds the program and fails when any package that is not on a short list is initialised before the answer.
package early

import (
	"os"
	"time"

	"crossrole/internal/cache/sealed"
	"crossrole/internal/remember"
)

// Command is the one command that is answered early; it must be the first argument.
const Command = "assume"

func init() {
	if len(os.Args) < 2 || os.Args[1] != Command || asksForHelp(os.Args[2:]) || onTerminal() {
		return
	}
	if m, ok := recall(os.Args[1:], os.Environ(), os.Getenv, time.Now()); ok {
		say(m)
	}
}

// asksForHelp says that no answer can be meant, and nothing is to be looked up.
func asksForHelp(args []string) bool {
	for _, arg := range args {
		if arg == "--help" || arg == "-h" {
			return true
		}
	}
	return false
}

// recall finds the memo of a command and judges it.
func recall(args, environ []string, getenv func(string) string, now time.Time) (m remember.Memo, ok bool) {
	root, err := sealed.Root(getenv)
	if err != nil {
		return m, false
	}
	dir := sealed.Join(root, remember.Folder)
	if sealed.CheckDir(root) != nil || sealed.CheckDir(dir) != nil {
		return m, false
	}
	key := remember.Key(args, environ)
	file, err := sealed.ReadFile(sealed.Join(dir, key+sealed.Suffix))
	if err != nil {
		return m, false
	}
	entry, err := sealed.Decode(key, file, keys)
	if err != nil {
		return m, false
	}
	m, err = remember.Decode(entry.Value)
	if err != nil {
		return m, false
	}
	return m, m.Holds(remember.Facts{Now: now, Luck: luck(now), Cwd: os.Getwd})
}

func keys(p sealed.Protection) (*sealed.Key, error) {
	if p != sealed.Kernel {
		return nil, sealed.ErrSealed // other systems' keys take too long to get
	}
	return sealed.KernelKey(sealed.KernelKeyName)
}

// luck differs between processes; it need not be hard to guess.
func luck(now time.Time) float64 {
	mixed := (uint64(now.UnixNano()) ^ uint64(os.Getpid())<<32) * 0x9e3779b97f4a7c15
	return float64(mixed>>11) / (1 << 53)
}

// say writes the answer and ends the process. If not a byte of it could be written, the ordinary path finds out why.
func say(m remember.Memo) {
	n, err := os.Stdout.Write(m.Stdout)
	if err != nil && n == 0 {
		return
	}
	_, _ = os.Stderr.Write(m.Stderr)
	if err != nil {
		_, _ = os.Stderr.WriteString("crossrole: writing the credentials: " + err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}
