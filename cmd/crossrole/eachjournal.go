package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/google/renameio/v2/maybe"
)

// journal is the file of --resume: a record per target that is done, each
// written at once, so that a killed run loses at most the one it was writing.
// Successes of before are kept and not repeated; failures are, and their old
// records go.
type journal struct {
	file *os.File
	done map[string]bool
}

// openJournal reads the successes of before and readies the file for more.
func openJournal(path string) (*journal, error) {
	j := &journal{done: map[string]bool{}}
	kept, err := j.read(path)
	if err != nil {
		return nil, err
	}
	if err := maybe.WriteFile(path, kept, 0o600); err != nil {
		return nil, fmt.Errorf("writing the journal %s: %w", strconv.Quote(path), err)
	}
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	return j, nil
}

// read gives the lines of the targets that succeeded. A last line without an
// end is what a killed run left; any other that is no record is an error, for
// the file may be something else.
func (j *journal) read(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &configError{Why: "--resume " + strconv.Quote(path) + ": " + reasonOf(err)}
	}
	var kept bytes.Buffer
	in := bufio.NewReader(bytes.NewReader(raw))
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return kept.Bytes(), nil
		}
		var rec record
		if json.Unmarshal(line, &rec) != nil || rec.Profile == "" {
			return nil, &configError{Why: fmt.Sprintf("--resume %s:%d is no record of crossrole each", strconv.Quote(path), n),
				Advice: []string{"name the journal of the run to go on with, or a file that does not exist yet"}}
		}
		key := target{profile: rec.Profile, account: rec.Account, region: rec.Region}.resumeKey()
		if rec.ExitCode == exitDone && !j.done[key] {
			j.done[key] = true
			kept.Write(line)
		}
	}
}

// resumeKey names a target between two runs: the account of a profile may have
// become known only when it was done.
func (t target) resumeKey() string { return t.profile + "\x00" + t.region }

// add records an outcome.
func (j *journal) add(r *outcome) error {
	rec, err := newRecord(r)
	if err != nil {
		return err
	}
	rec.Region = r.target.region
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.file.Sync(), j.file.Close())
}

// remaining leaves out what is done.
func (j *journal) remaining(list []target) []target {
	kept := make([]target, 0, len(list))
	for _, t := range list {
		if !j.done[t.resumeKey()] {
			kept = append(kept, t)
		}
	}
	return kept
}
