package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The hash of no bytes at all is known to everybody who has ever packaged anything for Nix.
func TestHashOfAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run([]string{"--type", "sha256", "--flat", "--base32", name}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestOtherFlagsAreRefused(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"--type", "sha512", "--flat", "--base32", "x"}, &out); err == nil || out.Len() > 0 {
		t.Errorf("sha512 was taken for sha256: %v, %q", err, out.String())
	}
}
