package sealed

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const name = "session-0a1b"

var (
	key   = &Key{1, 2, 3}
	entry = Entry{
		Meta: Meta{
			Profile: "prod", Who: "arn:aws:sts::222222222222:assumed-role/admin/me",
			Made: time.Unix(1_700_000_000, 0).UTC(), Expires: time.Unix(1_700_003_600, 0).UTC(),
		},
		Value: []byte("the secret"),
	}
)

func keys(Protection) (*Key, error) { return key, nil }

func encode(t testing.TB, p Protection) []byte {
	t.Helper()
	e, k := entry, key
	if e.Protection = p; p == Plain {
		k = nil
	}
	file, err := Encode(name, e, k)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func same(a, b Entry) bool {
	return a.Meta == b.Meta && a.Protection == b.Protection && bytes.Equal(a.Value, b.Value)
}

func TestDecodeReturnsWhatWasEncoded(t *testing.T) {
	for _, p := range []Protection{Plain, Kernel, DPAPI, Keychain} {
		got, err := Decode(name, encode(t, p), keys)
		want := entry
		want.Protection = p
		if err != nil || !same(got, want) {
			t.Errorf("%s: got %+v, %v", p, got, err)
		}
	}
}

func TestASealedValueDoesNotShow(t *testing.T) {
	if file := encode(t, Kernel); bytes.Contains(file, entry.Value) {
		t.Error("the value stands in the sealed file")
	}
	if bytes.Equal(encode(t, Kernel), encode(t, Kernel)) {
		t.Error("two files of one entry are the same: the nonce is not random")
	}
}

// Every bit of an entry counts: none of them can be flipped, and no byte cut off, without it becoming a miss.
func TestNoChangedEntryOpens(t *testing.T) {
	for _, p := range []Protection{Plain, Kernel} {
		file := encode(t, p)
		for i := range file {
			for bit := range 8 {
				changed := bytes.Clone(file)
				changed[i] ^= 1 << bit
				if _, err := Decode(name, changed, keys); err == nil {
					t.Fatalf("%s: opens with bit %d of byte %d flipped", p, bit, i)
				}
			}
			if _, err := Decode(name, file[:i], keys); err == nil {
				t.Fatalf("%s: opens when cut to %d bytes", p, i)
			}
		}
		if _, err := Decode(name, append(bytes.Clone(file), 0), keys); err == nil {
			t.Errorf("%s: opens with a byte added", p)
		}
	}
}

func TestAnEntryIsBoundToItsName(t *testing.T) {
	for _, p := range []Protection{Plain, Kernel} {
		if _, err := Decode("session-0a1c", encode(t, p), keys); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: renamed: %v", p, err)
		}
	}
}

func TestWhyAnEntryIsAMiss(t *testing.T) {
	newer := encode(t, Plain)
	newer[len(magic)] = version + 1
	other := errors.New("no key")
	for _, c := range []struct {
		name string
		file []byte
		keys Keys
		want error
	}{
		{"empty", nil, keys, ErrForeign},
		{"foreign", []byte(`{"Credentials":{}}` + strings.Repeat(" ", 99)), keys, ErrForeign},
		{"newer", newer, keys, ErrNewer},
		{"huge", make([]byte, MaxSize+1), keys, ErrTooBig},
		{"another key", encode(t, Kernel), func(Protection) (*Key, error) { return &Key{9}, nil }, ErrSealed},
		{"no key", encode(t, Kernel), func(Protection) (*Key, error) { return nil, other }, other},
	} {
		if _, err := Decode(name, c.file, c.keys); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	long := entry
	long.Profile = strings.Repeat("x", MaxText+1)
	big := entry
	big.Value = make([]byte, MaxSize)
	sealedWithout := entry
	sealedWithout.Protection = Kernel
	for i, e := range []Entry{long, big, sealedWithout} {
		if _, err := Encode(name, e, nil); err == nil {
			t.Errorf("case %d was encoded", i)
		}
	}
	if _, err := Encode(name, entry, key); err == nil {
		t.Error("an entry that says it is plain was sealed")
	}
}

func TestPeekNeedsNoKey(t *testing.T) {
	got, _, err := Peek(encode(t, Kernel))
	if err != nil || got.Meta != entry.Meta || got.Protection != Kernel || got.Value != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, Plain))
	f.Add(encode(f, Kernel))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := Decode(name, file, keys)
		if err != nil {
			return
		}
		again, err := Encode(name, got, map[bool]*Key{true: nil, false: key}[got.Protection == Plain])
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(name, again, keys); err != nil || !same(back, got) {
			t.Fatalf("read %+v, wrote it, read %+v, %v", got, back, err)
		}
	})
}

func TestRoot(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	root := t.TempDir() // absolute by the rules of this system
	a, b, home := filepath.Join(root, "a"), filepath.Join(root, "b"), filepath.Join(root, "home")
	for _, c := range []struct {
		getenv func(string) string
		want   string
	}{
		{env("CROSSROLE_CACHE_DIR", a, "XDG_CACHE_HOME", b, "HOME", home), a},
		{env("XDG_CACHE_HOME", b, "HOME", home), filepath.Join(b, "crossrole")},
	} {
		if got, err := Root(c.getenv); err != nil || got != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
	if got, err := Root(env("XDG_CACHE_HOME", "relative", "HOME", home)); err != nil || !strings.HasPrefix(got, home) {
		t.Errorf("a relative XDG_CACHE_HOME: %q, %v", got, err)
	}
	if _, err := Root(env()); !errors.Is(err, ErrNoHome) {
		t.Errorf("no home: %v", err)
	}
}

func TestUnsafeErrorQuotesThePath(t *testing.T) {
	e := &UnsafeError{Path: "/tmp/a\x1b[31m\"\n", What: "is not a folder"}
	if want := `refusing "/tmp/a\x1b[31m\"\x0a": it is not a folder`; e.Error() != want {
		t.Errorf("got %s", e)
	}
}
