package each

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// spoolOf keeps a text as a command's output is kept.
func spoolOf(t *testing.T, store *spoolStore, text string) *spool {
	t.Helper()
	s := &spool{store: store}
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	if err := s.settle(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A record is to the letter what encoding/json makes of it, wherever a piece
// ends: in a character, in bytes that are none, in an escape.
func TestRecordIsJSON(t *testing.T) {
	store := &spoolStore{}
	defer store.close()
	parts := []string{"a", "é", "\u2028", "😀", "\xff", "\xe2\x82", "\xf0\x9f", "\x80\x80\x80", "\"", "\\", "\n", "\x00", "<", `","stderr":"`, "0123456789abcdef"}
	var rec recorder
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 7))
		text := func() string {
			var b strings.Builder
			for want := random.IntN(5) * recordPiece; b.Len() < want; {
				b.WriteString(strings.Repeat(parts[random.IntN(len(parts))], 1+random.IntN(40)))
			}
			return b.String()
		}
		out, errs := text(), text()
		r := &outcome{
			target: Target{Profile: `p","stdout":"","stderr":"`, Account: "1"}, region: "r<", arn: "arn", code: 4, seconds: 1.23456,
			err: errors.New(`"stdout":"","stderr":""` + "\n"), out: spoolOf(t, store, out), errs: spoolOf(t, store, errs),
		}
		want := newRecord(r)
		want.Stdout, want.Stderr = out, errs
		var whole, got bytes.Buffer
		enc := json.NewEncoder(&whole)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(want); err != nil {
			t.Fatal(err)
		}
		size, err := rec.write(&got, r)
		if err != nil || size != int64(got.Len()) || !bytes.Equal(got.Bytes(), whole.Bytes()) {
			t.Fatalf("seed %d: %v, %d bytes of %d, want %d", seed, err, size, got.Len(), whole.Len())
		}
		r.close()
	}
}

// An output that is longer than memory should hold is written piece by piece.
func TestRecordComesInPieces(t *testing.T) {
	store := &spoolStore{}
	defer store.close()
	longest := longestWrite(0)
	size, err := new(recorder).write(&longest, &outcome{out: spoolOf(t, store, strings.Repeat("\x01", 8<<20))})
	if err != nil || size < 6*8<<20 || longest > 2*recordBuffer {
		t.Errorf("%v: %d bytes, %d at once", err, size, longest)
	}
}

type longestWrite int

func (l *longestWrite) Write(p []byte) (int, error) {
	*l = max(*l, longestWrite(len(p)))
	return len(p), nil
}
