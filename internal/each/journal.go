package each

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/gofrs/flock"

	"crossrole/internal/profile"
)

// Journal is the file of --resume: a record per target that is done, each
// written at once, so that a killed run loses at most the one it was writing.
// Successes of before are kept and not repeated; failures are, and their old
// records go. The records are those of --format jsonl, whose output can be a
// journal. A nil Journal keeps nothing.
type Journal struct {
	path   string
	lock   *flock.Flock
	file   *os.File
	size   int64
	broken error
	done   map[doneKey]bool
	known  map[string]bool // profiles of which there is a record
}

// doneKey names a target between two runs. The account is left out: a profile's
// may have become known only when it was done.
type doneKey struct{ profile, region string }

// OpenJournal reads the successes of before and readies the file for more. Two
// runs can't write to one journal. A file that can't be a journal, and one that
// another run writes, is a *ConfigError.
func OpenJournal(path string) (*Journal, error) {
	j, kept, err := readJournal(path)
	if err != nil {
		return nil, err
	}
	if err := j.only(); err != nil {
		return nil, err
	}
	if err := j.ready(kept); err != nil {
		return nil, errors.Join(err, j.unlock())
	}
	return j, nil
}

// only takes the journal's lock. Its file is trusted as little as the journal.
func (j *Journal) only() error {
	lock := j.path + ".lock"
	if err := trustedAt(lock); err != nil {
		return err
	}
	j.lock = flock.New(lock, flock.SetFlag(os.O_CREATE|os.O_RDWR|ours), flock.SetPermissions(0o600))
	mine, err := j.lock.TryLock()
	for errors.Is(err, syscall.EINTR) {
		mine, err = j.lock.TryLock()
	}
	switch {
	case err != nil:
		if now := trustedAt(lock); now != nil {
			return now
		}
		return fmt.Errorf("locking the journal: %w", err)
	case !mine:
		return &ConfigError{
			Why:    "--resume " + strconv.Quote(j.path) + ": another run is writing this journal",
			Advice: []string{"wait for it, or give each run (and each shard) a journal of its own"},
		}
	}
	info, err := j.lock.Stat()
	if err == nil {
		err = trusted(lock, info)
	}
	if err != nil {
		return errors.Join(err, j.lock.Unlock())
	}
	return nil
}

func (j *Journal) ready(kept []byte) (err error) {
	if err = profile.ReplaceName(context.Background(), j.path, kept); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	if j.file, err = openOurs(j.path, os.O_WRONLY|os.O_APPEND); err != nil {
		return err
	}
	j.size = int64(len(kept))
	return nil
}

// ReadJournal reads the successes of before, and writes nothing.
func ReadJournal(path string) (*Journal, error) {
	j, _, err := readJournal(path)
	return j, err
}

// readJournal gives the lines of the targets that succeeded. A last line without
// an end is what a killed run left; any other that is no record is an error, for
// the file may be something else.
func readJournal(path string) (*Journal, []byte, error) {
	j := &Journal{path: path, done: map[doneKey]bool{}, known: map[string]bool{}}
	file, err := openOurs(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	var kept bytes.Buffer
	in := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return j, kept.Bytes(), nil
		}
		if err != nil {
			return nil, nil, unusable(path, err)
		}
		var rec Record
		if json.Unmarshal(line, &rec) != nil || rec.Profile == "" {
			return nil, nil, &ConfigError{
				Why:    fmt.Sprintf("--resume %s:%d is no record of crossrole each", strconv.Quote(path), n),
				Advice: []string{"name the journal of the run to go on with, or a file that does not exist yet"},
			}
		}
		key := doneKey{rec.Profile, rec.Region}
		if rec.ExitCode == codeDone && !j.done[key] {
			j.done[key], j.known[rec.Profile] = true, true
			kept.Write(line)
		}
	}
}

// add records an outcome. What could not be written whole is taken back, and
// nothing more is written.
func (j *Journal) add(r *outcome) error {
	if j == nil || j.broken != nil {
		return nil //nolint:nilerr // it was told when it broke
	}
	rec, err := newRecord(r)
	if err != nil {
		return err
	}
	line, err := rec.line()
	if err != nil {
		return err
	}
	if _, err := j.file.Write(line); err != nil {
		j.broken = fmt.Errorf("writing the journal: %w", err)
		return errors.Join(j.broken, j.file.Truncate(j.size))
	}
	j.size += int64(len(line))
	return nil
}

// Close ends the file and lets other runs have it.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	if err != nil {
		err = fmt.Errorf("closing the journal: %w", err)
	}
	return errors.Join(err, j.unlock())
}

// unlock removes the lock's file while nobody else can have it.
func (j *Journal) unlock() error {
	_ = os.Remove(j.lock.Path()) // on some systems not while it is open: it stays
	err := j.lock.Unlock()
	for errors.Is(err, syscall.EINTR) {
		err = j.lock.Unlock()
	}
	return err
}

// Remaining leaves out what is done.
func (j *Journal) Remaining(list []Target) []Target {
	kept := make([]Target, 0, len(list))
	for _, t := range list {
		if !j.has(t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// has tells whether a target is done: in the region of --region, or in the one
// that the profile has now.
func (j *Journal) has(t Target) bool {
	if !j.known[t.Profile] {
		return false
	}
	region := t.Region
	if region == "" {
		plan, err := t.Plan()
		if err != nil {
			return false
		}
		region = plan.Region()
	}
	return j.done[doneKey{t.Profile, region}]
}
