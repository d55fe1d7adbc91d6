package main

import (
	"fmt"
	"os"
	"path/filepath"

	"crossrole/internal/disk"
)

// privateFolder makes a folder of this run's own below base, with these files in it. Both are this user's alone, and
// nobody else can put theirs in their place.
func privateFolder(base, prefix string, files map[string]string) (string, error) {
	err := checkBase(base)
	if disk.Trouble(err) {
		return "", fmt.Errorf("a folder for this run: %w", err)
	}
	if err != nil {
		return "", &configError{Why: "a folder for this run: " + err.Error(), Advice: []string{"set TMPDIR to a folder of your own"}}
	}
	folder, err := os.MkdirTemp(base, prefix) // 0700
	if err != nil {
		return "", err
	}
	for name, text := range files {
		if err := writeNew(filepath.Join(folder, name), text); err != nil {
			_ = os.RemoveAll(folder)
			return "", fmt.Errorf("writing %q: %w", name, err)
		}
	}
	return folder, nil
}

// writeNew writes a file that was not there.
func writeNew(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
