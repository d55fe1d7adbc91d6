// Command nix-hash prints a file's SHA-256 in Nix's base 32, as `nix-hash --type sha256 --flat --base32 FILE` does. The
// release writes its Nix package with it on machines that have no Nix; it takes the same flags and nothing else.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "nix-hash:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) != 5 || !slices.Equal(args[:4], []string{"--type", "sha256", "--flat", "--base32"}) {
		return errors.New("only --type sha256 --flat --base32 FILE is known here")
	}
	content, err := os.ReadFile(args[4])
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	_, err = fmt.Fprintln(stdout, base32(sum[:]))
	return err
}

// base32 is Nix's own: five bits a digit, the last bits of the last byte first, without the letters e, o, u and t.
func base32(sum []byte) string {
	const digits = "0123456789abcdfghijklmnpqrsvwxyz"
	length := (len(sum)*8 + 4) / 5
	text := make([]byte, length)
	for n := range length {
		bit := n * 5
		at, shift := bit/8, bit%8
		value := uint(sum[at]) >> shift
		if at+1 < len(sum) {
			value |= uint(sum[at+1]) << (8 - shift)
		}
		text[length-1-n] = digits[value&0x1f]
	}
	return string(text)
}
