package each

import (
	"bufio"
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

	"crossrole/internal/disk"
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

	records recorder
}

// doneKey names a target between two runs. The account is left out: a profile's
// may have become known only when it was done.
type doneKey struct{ profile, region string }

// OpenJournal reads the successes of before and readies the file for more. Two
// runs can't write to one journal. A file that can't be a journal, and one that
// another run writes, is a *ConfigError.
func OpenJournal(path string) (*Journal, error) {
	if err := trustedAt(path); err != nil {
		return nil, err
	}
	j := newJournal(path)
	if err := j.only(); err != nil {
		return nil, err
	}
	if err := j.ready(); err != nil {
		return nil, errors.Join(err, j.unlock())
	}
	return j, nil
}

func newJournal(path string) *Journal {
	return &Journal{path: path, done: map[doneKey]bool{}, known: map[string]bool{}}
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

// ready reads the old file and puts one in its place that has its successes
// alone. It may be longer than memory should hold.
func (j *Journal) ready() error {
	old, kept, err := j.read()
	if err != nil {
		return err
	}
	if old != nil {
		defer func() { _ = old.Close() }()
	}
	if err := j.rewrite(old, kept); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	if j.file, err = openOurs(j.path, os.O_WRONLY|os.O_APPEND); err != nil {
		return err
	}
	j.size, err = j.file.Seek(0, io.SeekEnd)
	return err
}

// rewrite replaces the file atomically.
func (j *Journal) rewrite(old *os.File, kept []part) error {
	parts := make([]io.Reader, 0, len(kept)+1)
	for _, p := range kept {
		parts = append(parts, io.NewSectionReader(old, p.from, p.to-p.from))
	}
	parts = append(parts, atEnd(func() {
		if old != nil {
			_ = old.Close() // an open file can't be replaced everywhere
		}
	}))
	return disk.ReplaceName(context.Background(), j.path, io.MultiReader(parts...))
}

// atEnd is an empty reader that is called when it is read.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// ReadJournal reads the successes of before, and writes nothing.
func ReadJournal(path string) (*Journal, error) {
	j := newJournal(path)
	file, _, err := j.read()
	if file != nil {
		_ = file.Close()
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}

// part is where in a file something stands.
type part struct{ from, to int64 }

// read notes the targets that succeeded, and where their lines are. A last line
// without an end is what a killed run left; any other that is no record is an
// error, for the file may be something else. It is nil if there is none yet.
func (j *Journal) read() (file *os.File, kept []part, err error) {
	file, err = openOurs(j.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if kept, err = j.readLines(file); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, kept, nil
}

func (j *Journal) readLines(file io.Reader) (kept []part, err error) {
	lines := lineReader{in: bufio.NewReaderSize(file, 64<<10)}
	at := int64(0)
	for n := 1; ; n++ {
		line, size, err := lines.next()
		if errors.Is(err, io.EOF) {
			return kept, nil
		}
		if err != nil {
			return nil, unusable(j.path, err)
		}
		var rec struct {
			Profile  string `json:"profile"`
			Region   string `json:"region"`
			ExitCode int    `json:"exit_code"`
		}
		if json.Unmarshal(line, &rec) != nil || rec.Profile == "" {
			return nil, &ConfigError{
				Why:    fmt.Sprintf("--resume %s:%d is no record of crossrole each", strconv.Quote(j.path), n),
				Advice: []string{"name the journal of the run to go on with, or a file that does not exist yet"},
			}
		}
		end := at + size
		if key := (doneKey{rec.Profile, rec.Region}); rec.ExitCode == codeDone && !j.done[key] {
			j.done[key], j.known[rec.Profile] = true, true
			if last := len(kept) - 1; last >= 0 && kept[last].to == at {
				kept[last].to = end
			} else {
				kept = append(kept, part{at, end})
			}
		}
		at = end
	}
}

// add records an outcome. What could not be written whole is taken back, and
// nothing more is written.
func (j *Journal) add(r *outcome) error {
	if j == nil || j.broken != nil {
		return nil //nolint:nilerr // it was told when it broke
	}
	n, err := j.records.write(j.file, r)
	if err != nil {
		j.broken = fmt.Errorf("writing the journal: %w", err)
		return errors.Join(j.broken, j.file.Truncate(j.size))
	}
	j.size += n
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
