package cache

import (
	"context"
	"os/exec"
	"strings"
)

func systemKeys(string, *Store) keySource {
	return keychainKeys{run: func(ctx context.Context, stdin string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "/usr/bin/security", args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		return string(out), err
	}}
}
