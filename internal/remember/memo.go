// Package remember judges what an earlier run left behind: a session, or the whole answer of a command.
//
// A memo is the answer of one finished `assume`: the bytes that it wrote, and all that they depend on. The same command
// line in the same environment may be answered with the same bytes for as long as every file it was made from, the
// session's cache entry among them, is the very same one, and the session's Life allows it.
//
// Both ways in ask this package: the early answer before anything heavy is initialised, and the cache behind `assume`.
// What one of them takes for good, the other does. So that it can be asked early it imports next to nothing.
package remember

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"
)

// Folder is the part of the cache that memos are kept in.
const Folder = "memos"

// Memo is a remembered answer. It holds secrets and is kept sealed, like a session.
type Memo struct {
	Life   Life
	Cwd    string  // where it was given, if a relative path took part; else empty
	Files  []Stamp // what it was made from
	Stdout []byte
	Stderr []byte
}

// Facts are what a memo is judged by.
type Facts struct {
	Now  time.Time
	Luck float64                // in [0, 1); see Life.Judge
	Cwd  func() (string, error) // asked only if it matters
}

// Holds says whether the memo's answer is still what the command would say.
func (m *Memo) Holds(f Facts) bool {
	if m.Life.Judge(f.Now, f.Luck) != Fresh {
		return false
	}
	if m.Cwd != "" {
		if cwd, err := f.Cwd(); err != nil || cwd != m.Cwd {
			return false
		}
	}
	return !slices.ContainsFunc(m.Files, func(s Stamp) bool { return !s.Same() })
}

// Key is the name of the memo for a command line (without the program's name) in an environment. It holds digests of
// values alone.
func Key(args, environ []string) string {
	matter := make([]string, 0, 32)
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); Matters(name) {
			matter = append(matter, pair)
		}
	}
	// The order of variables says nothing, except between two of one name.
	slices.SortStableFunc(matter, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	buf := appendTexts(make([]byte, 0, 4096), args)
	buf = appendTexts(buf, matter)
	sum := sha256.Sum256(buf)
	return hexText(sum[:])
}

var (
	prefixesThatMatter = []string{"AWS_", "CROSSROLE_", "XDG_", "GITHUB_", "GITLAB_", "CI_", "ACTIONS_", "CIRCLE_", "BUILDKITE_", "BUILD_"}
	namesThatMatter    = []string{"HOME", "USERPROFILE", "LocalAppData", "USER", "LOGNAME", "USERNAME", "SUDO_USER", "CI", "NO_COLOR", "TERM", "SHELL"}
)

// Matters says whether a variable of the environment can change an answer of `assume`. It is wider than what we read:
// a variable too many costs a miss, one too few a wrong answer.
func Matters(name string) bool {
	for _, prefix := range prefixesThatMatter {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains(namesThatMatter, name)
}

const memoVersion = 1

var errMemo = errors.New("not a memo of this version")

// Encode writes the memo as bytes.
func (m *Memo) Encode() []byte {
	b := []byte{memoVersion, 0}
	if m.Life.Person {
		b[1] = 1
	}
	for _, n := range []int64{m.Life.Made.UnixNano(), m.Life.Expires.UnixNano(), int64(m.Life.Asked), int64(m.Life.MinTTL)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = appendTexts(b, []string{m.Cwd, string(m.Stdout), string(m.Stderr)})
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Files)))
	for _, s := range m.Files {
		b = appendText(b, s.Path)
		for _, n := range s.numbers() {
			b = binary.BigEndian.AppendUint64(b, n)
		}
	}
	return b
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Memo, error) {
	r := reader{rest: b}
	if r.byte() != memoVersion {
		return Memo{}, errMemo
	}
	m := Memo{Life: Life{Person: r.byte() == 1}}
	m.Life.Made, m.Life.Expires = time.Unix(0, int64(r.number())), time.Unix(0, int64(r.number()))
	m.Life.Asked, m.Life.MinTTL = time.Duration(r.number()), time.Duration(r.number())
	texts := r.texts()
	if len(texts) != 3 {
		return Memo{}, errMemo
	}
	m.Cwd, m.Stdout, m.Stderr = texts[0], []byte(texts[1]), []byte(texts[2])
	for n := r.count(); n > 0 && !r.bad; n-- {
		m.Files = append(m.Files, r.stamp())
	}
	if r.bad || len(r.rest) > 0 {
		return Memo{}, errMemo
	}
	return m, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(texts)))
	for _, s := range texts {
		b = appendText(b, s)
	}
	return b
}

// reader takes values off the front of bytes; after the first that is not there it is bad and gives zeroes.
type reader struct {
	rest []byte
	bad  bool
}

var zeroes [8]byte

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return zeroes[:min(n, len(zeroes))]
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) number() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) count() uint32  { return binary.BigEndian.Uint32(r.take(4)) }

func (r *reader) text() string {
	n := r.count()
	if int64(n) > int64(len(r.rest)) {
		r.bad = true
		return ""
	}
	return string(r.take(int(n)))
}

func (r *reader) texts() (out []string) {
	for n := r.count(); n > 0 && !r.bad; n-- {
		out = append(out, r.text())
	}
	return out
}

func (r *reader) stamp() Stamp {
	s := Stamp{Path: r.text()}
	var n [stampNumbers]uint64
	for i := range n {
		n[i] = r.number()
	}
	s.setNumbers(n)
	return s
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
