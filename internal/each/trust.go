package each

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"crossrole/internal/disk"
)

// A journal decides what is not done any more, in a folder that others may be able to write to. What somebody else could
// have put there, or made lead elsewhere, is refused rather than read, and never waited for.

// openOurs opens a file that nobody but the user (or root) can have written.
func openOurs(path string, flag int) (*os.File, error) {
	if err := trustedAt(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, flag|ours, 0o600)
	if err != nil {
		return nil, untrustedOr(path, err)
	}
	info, err := file.Stat()
	if err == nil {
		err = trusted(path, info)
	}
	if err != nil {
		_ = file.Close()
		return nil, untrustedOr(path, err)
	}
	return file, nil
}

// trustedAt looks at the name itself, before anything is opened. What is not there is none's.
func trustedAt(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(path, err)
	}
	return trusted(path, info)
}

func trusted(path string, info fs.FileInfo) error {
	refuse := func(why, advice string) error {
		return &ConfigError{Why: "--resume: " + strconv.Quote(path) + " " + why, Advice: []string{advice}}
	}
	const elsewhere = "name a file of your own, in a folder that only you can write to"
	switch kind := info.Mode().Type(); {
	case kind&fs.ModeSymlink != 0:
		return refuse("is a symbolic link", "name the file that it leads to, if that is yours")
	case kind != 0:
		return refuse("is no regular file", elsewhere)
	}
	switch why := othersIn(info, userID()); {
	case why == "":
		return nil
	case info.Mode().Perm()&0o022 != 0:
		return refuse(why, "look through it, and take the right away with chmod go-w; or "+elsewhere)
	default:
		return refuse(why, elsewhere)
	}
}

// untrustedOr looks again after a failure: something else may be there now.
func untrustedOr(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if now := trustedAt(path); now != nil {
		return now
	}
	if _, known := errors.AsType[*ConfigError](err); known {
		return err
	}
	return unusable(path, err)
}

// unusable says why the file can't be used: another one could, unless the disk is to blame.
func unusable(path string, err error) error {
	why := "--resume " + strconv.Quote(path) + ": " + disk.Bare(err).Error()
	if disk.Trouble(err) {
		return errors.New(why)
	}
	return &ConfigError{Why: why}
}
