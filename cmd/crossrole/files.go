package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"crossrole/internal/disk"
)

// maxPolicyFile is far above any quota of AWS, in bytes; a file that is longer was not meant.
const maxPolicyFile = 1 << 20

// open opens a file that the command line named; "-" is stdin. The name is for messages.
func (a *app) open(file string) (io.ReadCloser, string, error) {
	if file == "-" {
		return io.NopCloser(a.in), "stdin", nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, "", fileError("reading", file, err)
	}
	return in, file, nil
}

// fileError says which file could not be read or written, and why, in one line.
func fileError(doing, file string, err error) error {
	return &namedFileError{Doing: doing, File: file, Err: disk.Bare(err)}
}

// reasonOf is the cause of a file error, without its path.
func reasonOf(err error) string { return disk.Bare(err).Error() }

// namedFileError is a file of the command line that can't be used.
type namedFileError struct {
	Doing string
	File  string
	Err   error
}

func (e *namedFileError) Error() string {
	return e.Doing + " " + strconv.Quote(e.File) + ": " + e.Err.Error()
}
func (e *namedFileError) Unwrap() error { return e.Err }

// readAll reads a policy's file, or stdin.
func (a *app) readAll(file string) ([]byte, error) {
	in, name, err := a.open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxPolicyFile+1))
	switch {
	case err != nil:
		return nil, fileError("reading", name, err)
	case len(data) > maxPolicyFile:
		return nil, fileError("reading", name, errors.New("it is larger than any policy"))
	}
	return data, nil
}

func fileStem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// namedFiles reads what the command line names, for a room that does not open files itself.
type namedFiles struct{ a *app }

// Read reads a policy's file, or stdin.
func (f namedFiles) Read(file string) ([]byte, error) { return f.a.readAll(file) }

// Open opens a file that is read more than once: never stdin.
func (f namedFiles) Open(file string) (io.ReadSeekCloser, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fileError("reading", file, err)
	}
	return in, nil
}
