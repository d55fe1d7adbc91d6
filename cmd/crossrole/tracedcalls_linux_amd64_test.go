package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// tracedCall is a system call that is of interest.
type tracedCall struct {
	name string
	// about is the file that it is about: an absolute path, or "stdout".
	about func(tr *tracer, tid int, args [6]uint64) string
	// flags is the argument of open's flags; 0 is none.
	flags int
	reads bool // it changes nothing
}

func (c tracedCall) changes(args [6]uint64) bool {
	if c.flags > 0 {
		return args[c.flags]&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC) != 0
	}
	return !c.reads
}

func (c tracedCall) describe(args [6]uint64) string {
	if c.changes(args) && c.flags > 0 {
		return c.name + " for writing"
	}
	return c.name
}

// byFD, byPath and byPathAt find the file by what the arguments are.
func byFD(tr *tracer, _ int, args [6]uint64) string { return tr.fd(args[0]) }

func byPath(n int) func(*tracer, int, [6]uint64) string {
	return func(tr *tracer, tid int, args [6]uint64) string { return tr.resolve(tid, "cwd", args[n]) }
}

func byPathAt(n int) func(*tracer, int, [6]uint64) string {
	return func(tr *tracer, tid int, args [6]uint64) string {
		from := "cwd"
		if fd := int32(args[n-1]); fd != unix.AT_FDCWD {
			from = fmt.Sprintf("fd/%d", fd)
		}
		return tr.resolve(tid, from, args[n])
	}
}

func nothing(*tracer, int, [6]uint64) string { return "" }

var traced = map[uint64]tracedCall{
	unix.SYS_OPEN:       {name: "open", about: byPath(0), flags: 1},
	unix.SYS_OPENAT:     {name: "openat", about: byPathAt(1), flags: 2},
	unix.SYS_CREAT:      {name: "creat", about: byPath(0)},
	unix.SYS_READ:       {name: "read", about: byFD, reads: true},
	unix.SYS_PREAD64:    {name: "pread64", about: byFD, reads: true},
	unix.SYS_GETDENTS64: {name: "getdents64", about: byFD, reads: true},
	unix.SYS_FSTAT:      {name: "fstat", about: byFD, reads: true},
	unix.SYS_NEWFSTATAT: {name: "newfstatat", about: byPathAt(1), reads: true},
	unix.SYS_STAT:       {name: "stat", about: byPath(0), reads: true},
	unix.SYS_LSTAT:      {name: "lstat", about: byPath(0), reads: true},
	unix.SYS_STATX:      {name: "statx", about: byPathAt(1), reads: true},
	unix.SYS_FACCESSAT:  {name: "faccessat", about: byPathAt(1), reads: true},
	unix.SYS_FACCESSAT2: {name: "faccessat2", about: byPathAt(1), reads: true},
	unix.SYS_READLINKAT: {name: "readlinkat", about: byPathAt(1), reads: true},
	unix.SYS_WRITE:      {name: "write", about: byFD},
	unix.SYS_PWRITE64:   {name: "pwrite64", about: byFD},
	unix.SYS_WRITEV:     {name: "writev", about: byFD},
	unix.SYS_CLOSE:      {name: "close", about: byFD},
	unix.SYS_FSYNC:      {name: "fsync", about: byFD},
	unix.SYS_FDATASYNC:  {name: "fdatasync", about: byFD},
	unix.SYS_FTRUNCATE:  {name: "ftruncate", about: byFD},
	unix.SYS_FALLOCATE:  {name: "fallocate", about: byFD},
	unix.SYS_FLOCK:      {name: "flock", about: byFD},
	unix.SYS_FCHMOD:     {name: "fchmod", about: byFD},
	unix.SYS_FCHOWN:     {name: "fchown", about: byFD},
	unix.SYS_FCHMODAT:   {name: "fchmodat", about: byPathAt(1)},
	unix.SYS_FCHMODAT2:  {name: "fchmodat2", about: byPathAt(1)},
	unix.SYS_CHMOD:      {name: "chmod", about: byPath(0)},
	unix.SYS_FCHOWNAT:   {name: "fchownat", about: byPathAt(1)},
	unix.SYS_MKDIR:      {name: "mkdir", about: byPath(0)},
	unix.SYS_MKDIRAT:    {name: "mkdirat", about: byPathAt(1)},
	unix.SYS_RMDIR:      {name: "rmdir", about: byPath(0)},
	unix.SYS_UNLINK:     {name: "unlink", about: byPath(0)},
	unix.SYS_UNLINKAT:   {name: "unlinkat", about: byPathAt(1)},
	unix.SYS_RENAME:     {name: "rename", about: byPath(1)},
	unix.SYS_RENAMEAT:   {name: "renameat", about: byPathAt(3)},
	unix.SYS_RENAMEAT2:  {name: "renameat2", about: byPathAt(3)},
	unix.SYS_LINK:       {name: "link", about: byPath(1)},
	unix.SYS_LINKAT:     {name: "linkat", about: byPathAt(3)},
	unix.SYS_SYMLINKAT:  {name: "symlinkat", about: byPathAt(2)},
	unix.SYS_UTIMENSAT:  {name: "utimensat", about: byPathAt(1)},
	unix.SYS_SOCKET:     {name: "socket", about: nothing},
	unix.SYS_CONNECT:    {name: "connect", about: nothing},
	unix.SYS_EXECVE:     {name: "execve", about: byPath(0)},
}

// fd is the file that a descriptor is open on.
func (tr *tracer) fd(n uint64) string {
	if n == 1 {
		return "stdout"
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tr.pid, n))
	return path
}

// resolve makes an absolute path of one in the program's memory.
func (tr *tracer) resolve(tid int, from string, address uint64) string {
	path := tr.text(tid, address)
	if path == "" || filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/%s", tr.pid, from))
	return filepath.Join(dir, path)
}

// text reads a string that ends with a NUL, a page at a time, since the next page may not be there.
func (tr *tracer) text(tid int, address uint64) string {
	var text []byte
	for len(text) < 4096 {
		buf := make([]byte, 4096-address%4096)
		n, err := unix.ProcessVMReadv(tid, []unix.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}, []unix.RemoteIovec{{Base: uintptr(address), Len: len(buf)}}, 0)
		if err != nil || n <= 0 {
			return ""
		}
		if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
			return string(append(text, buf[:end]...))
		}
		text = append(text, buf[:n]...)
		address += uint64(n)
	}
	return ""
}
