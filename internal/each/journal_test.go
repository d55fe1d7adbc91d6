//go:build unix

package each

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// A journal that can't be written is told once, and what has no end is none.
func TestJournalThatCannotBeWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	j := &Journal{file: file}
	if err := j.add(&outcome{}); err == nil || !strings.Contains(err.Error(), "writing the journal") {
		t.Errorf("%v", err)
	}
	if err := j.add(&outcome{}); err != nil {
		t.Errorf("told again: %v", err)
	}
	var config *ConfigError
	if _, err := ReadJournal("/dev/zero"); !errors.As(err, &config) {
		t.Errorf("/dev/zero: %v", err)
	}
}
