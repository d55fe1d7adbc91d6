// Package sealed is the file of one cache entry: what its bytes mean, and how it is read without being fooled.
//
// It is the light half of the cache. A warm start reads one such file before anything heavy is initialised, so this
// package imports only what costs next to nothing there: no fmt, no encoding, no golang.org/x. Locks, lists, writes
// and the making of keys are in package cache.
//
// An entry, version 1 (integers big-endian, texts with a two-byte length before them):
//
//	magic "xrole\x00", version, protection
//	made, expires: seconds since 1970, eight bytes each
//	profile, who
//	body: AES-256-GCM of the value (nonce first, tag last), or the value and the SHA-256 of all before it
//
// Everything before the body, and the entry's name, is authenticated with it: an entry can't be renamed to another,
// nor its expiry moved.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"
)

const (
	magic   = "xrole\x00"
	version = 1
	header  = len(magic) + 2 + 8 + 8

	// MaxSize is the size in bytes of the largest entry that is read or written.
	MaxSize = 1 << 20
	// MaxText is the length in bytes of the longest text in an entry's Meta.
	MaxText = 1<<16 - 1
	// KeySize is the length in bytes of the key that seals.
	KeySize = 32
)

// Protection says what keeps an entry's value from being read by who copies its file.
type Protection byte

// The protections, as they stand in the file.
const (
	Plain    Protection = iota // the file's mode and owner, nothing else
	Kernel                     // a key in the Linux kernel keyring
	DPAPI                      // a key that Windows protects for the user
	Keychain                   // a key in the macOS Keychain
)

// String names the protection for a person.
func (p Protection) String() string {
	switch p {
	case Plain:
		return "file"
	case Kernel:
		return "kernel keyring"
	case DPAPI:
		return "windows data protection"
	case Keychain:
		return "keychain"
	}
	return "unknown"
}

// Meta is what can be told of an entry without opening it. None of it is secret.
type Meta struct {
	Profile string    // the profile that it was made for
	Who     string    // whose credentials they are
	Made    time.Time // when it was written, by this machine's clock, in seconds
	Expires time.Time // until when its value is good, in seconds
}

// Entry is an opened entry.
type Entry struct {
	Meta
	Protection Protection
	Value      []byte
}

// Key seals and opens values.
type Key [KeySize]byte

// Keys finds the key of a protection other than Plain.
type Keys func(Protection) (*Key, error)

// Why an entry can't be used. Each of them is a miss, which the next write heals.
var (
	ErrForeign = errors.New("not a cache entry")
	ErrNewer   = errors.New("a cache entry of another version")
	ErrSealed  = errors.New("a cache entry that does not open")
	ErrTooBig  = errors.New("a cache entry that is too big")
)

// Encode returns the file of an entry called name, sealed with key. A nil key writes a plain one.
func Encode(name string, e Entry, key *Key) ([]byte, error) {
	if len(e.Profile) > MaxText || len(e.Who) > MaxText || len(e.Value) > MaxSize/2 {
		return nil, ErrTooBig
	}
	if (key == nil) != (e.Protection == Plain) {
		return nil, ErrSealed
	}
	head := make([]byte, 0, header+4+len(e.Profile)+len(e.Who)+len(e.Value)+64)
	head = append(head, magic...)
	head = append(head, version, byte(e.Protection))
	head = appendUint(head, uint64(e.Made.Unix()), 8)
	head = appendUint(head, uint64(e.Expires.Unix()), 8)
	head = appendText(head, e.Profile)
	head = appendText(head, e.Who)
	if key == nil {
		sum := digest(name, head, e.Value)
		return append(append(head, e.Value...), sum[:]...), nil
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, nil, e.Value, bound(name, head)), nil
}

// Decode opens the file of the entry called name. Every failure is one of the errors above, or that of keys.
func Decode(name string, file []byte, keys Keys) (Entry, error) {
	e, body, err := Peek(file)
	if err != nil {
		return Entry{}, err
	}
	head := file[:len(file)-len(body)]
	if e.Protection == Plain {
		return decodePlain(e, name, head, body)
	}
	key, err := keys(e.Protection)
	if err != nil {
		return Entry{}, err
	}
	aead, err := newAEAD(key)
	if err != nil {
		return Entry{}, err
	}
	e.Value, err = aead.Open(nil, nil, body, bound(name, head))
	if err != nil {
		return Entry{}, ErrSealed
	}
	return e, nil
}

// Peek reads what is not sealed, without proof that nobody changed it, and returns the body as it stands.
func Peek(file []byte) (e Entry, body []byte, err error) {
	if len(file) > MaxSize {
		return Entry{}, nil, ErrTooBig
	}
	if len(file) < header || string(file[:len(magic)]) != magic {
		return Entry{}, nil, ErrForeign
	}
	if file[len(magic)] != version || file[len(magic)+1] > byte(Keychain) {
		return Entry{}, nil, ErrNewer
	}
	e.Protection = Protection(file[len(magic)+1])
	rest := file[len(magic)+2:]
	e.Made = time.Unix(int64(number(rest[:8])), 0).UTC()
	e.Expires = time.Unix(int64(number(rest[8:16])), 0).UTC()
	var ok, ok2 bool
	e.Profile, rest, ok = text(rest[16:])
	e.Who, rest, ok2 = text(rest)
	if !ok || !ok2 {
		return Entry{}, nil, ErrForeign
	}
	return e, rest, nil
}

func decodePlain(e Entry, name string, head, body []byte) (Entry, error) {
	if len(body) < sha256.Size {
		return Entry{}, ErrForeign
	}
	value, sum := body[:len(body)-sha256.Size], body[len(body)-sha256.Size:]
	want := digest(name, head, value)
	if subtle.ConstantTimeCompare(sum, want[:]) != 1 {
		return Entry{}, ErrSealed
	}
	e.Value = append([]byte(nil), value...)
	return e, nil
}

func newAEAD(key *Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// bound is what a sealed value is tied to. The name's length stands before it, so that no two pairs read the same.
func bound(name string, head []byte) []byte {
	return append(appendText(make([]byte, 0, len(name)+2+len(head)), name), head...)
}

func digest(name string, head, value []byte) [sha256.Size]byte {
	return sha256.Sum256(append(bound(name, head), value...))
}

func appendUint(b []byte, n uint64, size int) []byte {
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(appendUint(b, uint64(len(s)), 2), s...)
}

func number(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func text(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(number(b[:2]))
	if len(b) < 2+n {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}
