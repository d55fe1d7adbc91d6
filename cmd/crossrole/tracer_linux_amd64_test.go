package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tracer runs the built program under ptrace(2) and sees each of its system calls before the kernel does. One of
// them can be made to fail, or be the last instant of the process. What counts is the call by its place: its name, its
// file and the how-manieth of these it is. (strace's own injection counts for each thread apart, and Go moves between
// threads as it likes.)

// site is one call of a run, by its place.
type site struct {
	name string // of the system call
	path string // below the root, with what is random replaced; or "stdout"
	n    int    // the how-manieth with this name and path, from 1
}

func (s site) String() string { return fmt.Sprintf("%s %s #%d", s.name, s.path, s.n) }

// seen is what a call was about.
type seen struct {
	site
	writes bool // it changes something
	size   int  // bytes to write
}

// fault is what is done to the call at a site.
type fault struct {
	at      site
	errno   syscall.Errno
	kill    bool // the process is killed instead
	creates bool // the call opens a file for writing
	short   bool // half of the bytes are written, and the next write to the file fails
}

func (f fault) String() string {
	switch {
	case f.kill:
		return "killed at " + f.at.String()
	case f.short:
		return "half, then " + unix.ErrnoName(f.errno) + " at " + f.at.String()
	}
	return unix.ErrnoName(f.errno) + " at " + f.at.String()
}

// tracedRun is a program to run and what became of it.
type tracedRun struct {
	path  string
	args  []string
	env   []string
	dir   string
	root  string                  // calls on what is below it are of interest; the working directory is below it, too
	until bool                    // a SIGTERM ends it once it has written something
	fault *fault                  // nil: none
	watch func(name, path string) // nil, or told of every file and socket that is touched

	calls    []seen
	injected bool
	hung     bool
	out, err string
	code     int // -1: killed
	signal   syscall.Signal
}

// A traced program that is not done after traceLimit is killed.
const traceLimit = 30 * time.Second

type tracer struct {
	*tracedRun
	pid     int
	counts  map[string]int
	pending map[int]int64   // the result of the call that a thread is in, if it is not the kernel's
	written map[string]bool // files that were opened for writing
	full    string          // the file of which no more can be written
}

// trace runs it to its end.
func (r *tracedRun) trace() error {
	runtime.LockOSThread() // ptrace knows threads
	defer runtime.UnlockOSThread()
	tr := &tracer{tracedRun: r, counts: map[string]int{}, pending: map[int]int64{}, written: map[string]bool{}}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	out, err := newCollector()
	if err != nil {
		return err
	}
	errs, err := newCollector()
	if err != nil {
		return err
	}
	tr.pid, err = syscall.ForkExec(r.path, append([]string{"crossrole"}, r.args...), &syscall.ProcAttr{
		Dir: r.dir, Env: r.env, Files: []uintptr{null.Fd(), out.to.Fd(), errs.to.Fd()}, Sys: &syscall.SysProcAttr{Ptrace: true, Setsid: true},
	})
	out.collect(func() {
		if r.until {
			_ = syscall.Kill(tr.pid, syscall.SIGTERM)
		}
	})
	errs.collect(func() {})
	if err != nil {
		return fmt.Errorf("this kernel lets nobody trace a child (ptrace), and without that no fault can be injected: %w", err)
	}
	var late atomic.Bool
	timer := time.AfterFunc(traceLimit, func() {
		late.Store(true)
		_ = syscall.Kill(tr.pid, syscall.SIGKILL)
	})
	err = tr.follow()
	timer.Stop()
	if err != nil {
		_ = syscall.Kill(tr.pid, syscall.SIGKILL)
	}
	r.hung = late.Load()
	<-out.done
	<-errs.done
	r.out, r.err = out.text.String(), errs.text.String()
	return err
}

// collector keeps what is written to a pipe.
type collector struct {
	from, to *os.File
	text     bytes.Buffer
	done     chan struct{}
}

func newCollector() (*collector, error) {
	c := &collector{done: make(chan struct{})}
	var err error
	c.from, c.to, err = os.Pipe()
	return c, err
}

// collect reads until nobody can write any more; said is called at the first of it.
func (c *collector) collect(said func()) {
	_ = c.to.Close()
	go func() {
		defer close(c.done)
		defer c.from.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := c.from.Read(buf)
			if n > 0 && c.text.Len() == 0 {
				said()
			}
			c.text.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
}

// follow lets the program go from one system call to the next.
func (tr *tracer) follow() error {
	var ws syscall.WaitStatus
	if err := wait(tr.pid, &ws); err != nil || !ws.Stopped() {
		return fmt.Errorf("it did not start: %v, %w", ws, err)
	}
	const options = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(tr.pid, options); err != nil {
		return err
	}
	known := map[int]bool{tr.pid: true}
	for tid, signal := tr.pid, 0; ; {
		// A thread may be gone by the time that it is let go; waiting tells.
		if err := ifAlive(syscall.PtraceSyscall(tid, signal)); err != nil {
			return err
		}
		var err error
		for tid, err = tr.waitAny(&ws); err == nil && !ws.Stopped(); tid, err = tr.waitAny(&ws) {
			if delete(known, tid); tid == tr.pid {
				tr.ended(ws)
				return nil
			}
		}
		if err != nil {
			return err
		}
		var done bool
		if done, signal, err = tr.stopped(tid, ws, known); done || err != nil {
			return err
		}
	}
}

func (tr *tracer) ended(ws syscall.WaitStatus) {
	if tr.code = ws.ExitStatus(); ws.Signaled() {
		tr.code, tr.signal = -1, ws.Signal()
	}
}

// stopped sees to a thread that has stopped, and says which signal it gets. It is done when another program took the
// process over.
func (tr *tracer) stopped(tid int, ws syscall.WaitStatus, known map[int]bool) (done bool, signal int, err error) {
	first := !known[tid]
	known[tid] = true
	switch sig := ws.StopSignal(); {
	case sig == syscall.SIGTRAP|0x80:
		return false, 0, tr.call(tid)
	case sig == syscall.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_EXEC:
		if err := syscall.PtraceDetach(tr.pid); err != nil {
			return true, 0, err
		}
		err := wait(tr.pid, &ws)
		tr.ended(ws)
		return true, 0, err
	case sig == syscall.SIGTRAP && ws.TrapCause() > 0, sig == syscall.SIGSTOP && first:
		return false, 0, nil
	default:
		return false, int(sig), nil
	}
}

func wait(pid int, ws *syscall.WaitStatus) error {
	for {
		_, err := syscall.Wait4(pid, ws, syscall.WALL, nil)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// waitAny waits for any thread of the program, which is a process group of its own: no other child of ours.
func (tr *tracer) waitAny(ws *syscall.WaitStatus) (int, error) {
	for {
		tid, err := syscall.Wait4(-tr.pid, ws, syscall.WALL, nil)
		if !errors.Is(err, syscall.EINTR) {
			return tid, err
		}
	}
}

// syscallInfo is what PTRACE_GET_SYSCALL_INFO tells (ptrace(2)).
type syscallInfo struct {
	op     uint8 // 1 before the call, 2 after it
	_      [3]uint8
	arch   uint32
	ip, sp uint64
	nr     uint64
	args   [6]uint64
}

// call sees a thread before or after a system call.
func (tr *tracer) call(tid int) error {
	var info syscallInfo
	const getSyscallInfo = 0x420e
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return ifAlive(errno)
	}
	if info.op == 2 {
		return tr.after(tid)
	}
	c, known := traced[info.nr]
	if !known {
		return nil
	}
	path := c.about(tr, tid, info.args)
	if tr.watch != nil {
		tr.watch(c.describe(info.args), path)
		return nil
	}
	inside, ok := tr.inside(c.name, path)
	if !ok {
		return nil
	}
	key := c.name + " " + inside
	tr.counts[key]++
	s := seen{site: site{c.name, inside, tr.counts[key]}, writes: c.changes(info.args)}
	if s.writes && c.flags > 0 {
		tr.written[inside] = true
	}
	if c.name == "close" {
		s.writes = tr.written[inside]
	}
	if c.name == "write" || c.name == "pwrite64" {
		s.size = int(info.args[2])
	}
	tr.calls = append(tr.calls, s)
	return tr.inject(tid, s, info.args)
}

// ifAlive forgives a thread that was killed meanwhile.
func ifAlive(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func (tr *tracer) inject(tid int, s seen, args [6]uint64) error {
	f := tr.fault
	if f == nil {
		return nil
	}
	if tr.full != "" && s.path == tr.full && s.size > 0 {
		return tr.refuse(tid, f.errno)
	}
	if s.site != f.at {
		return nil
	}
	tr.injected = true
	switch {
	case f.kill:
		return ifAlive(syscall.Kill(tr.pid, syscall.SIGKILL))
	case f.short:
		tr.full = s.path
		return tr.registers(tid, func(r *syscall.PtraceRegs) { r.Rdx = args[2] / 2 })
	case s.name == "close": // the kernel closes, whatever it says
		tr.pending[tid] = -int64(f.errno)
		return nil
	}
	return tr.refuse(tid, f.errno)
}

// refuse lets no call through, and answers in the kernel's place.
func (tr *tracer) refuse(tid int, errno syscall.Errno) error {
	tr.pending[tid] = -int64(errno)
	return tr.registers(tid, func(r *syscall.PtraceRegs) { r.Orig_rax = ^uint64(0) })
}

func (tr *tracer) after(tid int) error {
	result, ok := tr.pending[tid]
	if !ok {
		return nil
	}
	delete(tr.pending, tid)
	return tr.registers(tid, func(r *syscall.PtraceRegs) { r.Rax = uint64(result) })
}

func (tr *tracer) registers(tid int, change func(*syscall.PtraceRegs)) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); err != nil {
		return ifAlive(err)
	}
	change(&regs)
	return ifAlive(syscall.PtraceSetRegs(tid, &regs))
}

// Random parts of names: of temporary files, and of cache keys, which the port of the local STS is part of.
var randomPart = regexp.MustCompile(`[A-Z2-7]{26}|[0-9a-f]{16,}|[0-9]{5,}`)

// inside names a file below the root as it is named in every run.
func (tr *tracer) inside(name, path string) (string, bool) {
	if path == "stdout" && strings.Contains(name, "write") {
		return path, true
	}
	rest, ok := strings.CutPrefix(path, tr.root+"/")
	return randomPart.ReplaceAllString(rest, "*"), ok
}
