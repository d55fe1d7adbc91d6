//go:build unix

package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"crossrole/internal/cache/sealed"
)

type exitCode int

func (e exitCode) Error() string { return "exit status" }
func (e exitCode) ExitCode() int { return int(e) }

// fakeKeychain stands in for the security tool.
type fakeKeychain struct {
	stored string
	fail   error
	args   []string
}

func (k *fakeKeychain) run(_ context.Context, stdin string, args ...string) (string, error) {
	k.args = append(k.args, args...)
	switch {
	case k.fail != nil:
		return "", k.fail
	case args[0] == "-i":
		fields := strings.Fields(stdin)
		k.stored = fields[len(fields)-1]
		return "", nil
	case k.stored == "":
		return "", exitCode(44)
	}
	return k.stored + "\n", nil
}

func TestKeychain(t *testing.T) {
	tool := &fakeKeychain{}
	keys := keychainKeys{run: tool.run}
	if _, err := keys.find(); !errors.Is(err, errNoKeychainKey) {
		t.Fatalf("an empty keychain: %v", err)
	}
	made, err := keys.make()
	must(t, err)
	found, err := keys.find()
	must(t, err)
	if *made != *found || *made == (sealed.Key{}) {
		t.Errorf("made %v, found %v", *made, *found)
	}
	if slices.Contains(tool.args, hex.EncodeToString(made[:])) {
		t.Error("the key was an argument, which other users can read")
	}
}

func TestALockedKeychainKeepsItsKey(t *testing.T) {
	tool := &fakeKeychain{}
	keys := keychainKeys{run: tool.run}
	_, err := keys.make()
	must(t, err)
	before := tool.stored
	tool.fail = exitCode(36)
	if _, err := keys.make(); err == nil {
		t.Error("made a key in a locked keychain")
	}
	if tool.stored != before {
		t.Error("the old key is gone")
	}
}

func TestAKeychainWithRubbishHeals(t *testing.T) {
	tool := &fakeKeychain{stored: "zz"}
	keys := keychainKeys{run: tool.run}
	if _, err := keys.find(); !errors.Is(err, errNoKeychainKey) {
		t.Fatalf("rubbish: %v", err)
	}
	_, err := keys.make()
	must(t, err)
}

func TestWrappedKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.dpapi")
	flip := func(b []byte) ([]byte, error) {
		out := slices.Clone(b)
		for i := range out {
			out[i] ^= 0x5a
		}
		return out, nil
	}
	keys := wrappedKeys{wrap: flip, unwrap: flip, path: path, save: func(path string, data []byte) error {
		return os.WriteFile(path, data, 0o600)
	}}
	if _, err := keys.find(); err == nil {
		t.Fatal("found a key where there is none")
	}
	made, err := keys.make()
	must(t, err)
	found, err := keys.find()
	if err != nil || *found != *made {
		t.Errorf("found %v, %v", found, err)
	}
	file, err := os.ReadFile(path)
	must(t, err)
	if strings.Contains(string(file), string(made[:])) {
		t.Error("the key stands in the file")
	}
	must(t, os.WriteFile(path, file[:7], 0o600))
	if _, err := keys.find(); err == nil {
		t.Error("found a key of seven bytes")
	}
}
