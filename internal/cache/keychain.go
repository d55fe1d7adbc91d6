package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"crossrole/internal/cache/sealed"
)

// keychainTime is how long the Keychain may take: a locked one that waits for a password must not hang a shell.
const keychainTime = 3 * time.Second

const (
	keychainService = "crossrole"
	keychainAccount = "cache-key-1"

	keychainNotFound = 44 // the tool's exit code for errSecItemNotFound
)

// keychainKeys keeps the key in the macOS Keychain, spoken to through the system's own security tool: its programming
// interface needs cgo. See security(1).
type keychainKeys struct {
	run func(ctx context.Context, stdin string, args ...string) (string, error)
}

var errNoKeychainKey = errors.New("the keychain has no key of ours")

func (keychainKeys) protection() sealed.Protection { return sealed.Keychain }

func (k keychainKeys) find() (*sealed.Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keychainTime)
	defer cancel()
	out, err := k.run(ctx, "", "find-generic-password", "-s", keychainService, "-a", keychainAccount, "-w")
	if ctx.Err() != nil {
		return nil, fmt.Errorf("asking the keychain: %w", ctx.Err())
	}
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) && exit.ExitCode() == keychainNotFound {
		return nil, errNoKeychainKey
	}
	if err != nil {
		return nil, fmt.Errorf("asking the keychain: %w", err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(out))
	if err != nil || len(raw) != sealed.KeySize {
		return nil, errNoKeychainKey
	}
	key := sealed.Key(raw)
	return &key, nil
}

// make gives the key to the tool on its standard input: an argument could be read by every user of the machine. It
// makes none while the keychain is locked or silent: that would throw away the one that is there.
func (k keychainKeys) make() (*sealed.Key, error) {
	if _, err := k.find(); !errors.Is(err, errNoKeychainKey) {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), keychainTime)
	defer cancel()
	line := fmt.Sprintf("add-generic-password -U -s %s -a %s -w %s\n", keychainService, keychainAccount, hex.EncodeToString(newKey()[:]))
	if _, err := k.run(ctx, line, "-i"); err != nil {
		return nil, fmt.Errorf("giving a key to the keychain: %w", err)
	}
	return k.find()
}
