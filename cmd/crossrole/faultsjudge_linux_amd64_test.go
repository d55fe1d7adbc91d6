package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"crossrole/internal/localsts"
)

// tree is every file below a root by its name, with what is random in names and texts replaced.
type tree map[string]string

var unsteady = regexp.MustCompile(`ASIA[A-Z0-9]{16}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|127\.0\.0\.1:\d+|"seconds":[0-9.]+|\b(?:\d+h(?:\d+m)?(?:\d+s)?|\d+m(?:\d+s)?|\d+(?:\.\d+)?[mµ]?s)\b *| {2,}|ghadelimiter_\w+|crossrole-[0-9A-Z]{26}`)

// steady replaces what differs from one good run to the next.
func (h *faulty) steady(root, text string) string {
	text = strings.ReplaceAll(text, root, "ROOT")
	h.mu.Lock()
	for _, secret := range h.secrets {
		if secret != localsts.ExampleSecret {
			text = strings.ReplaceAll(strings.ReplaceAll(text, secret, "SECRET"), percent(secret), "SECRET")
		}
	}
	h.mu.Unlock()
	return randomPart.ReplaceAllString(unsteady.ReplaceAllString(text, "VARIABLE"), "*")
}

func (h *faulty) take(root string) tree {
	list := tree{}
	orPanic(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		orPanic(err)
		mode := info.Mode().Perm().String() + " "
		name := randomPart.ReplaceAllString(strings.TrimPrefix(path, root+"/"), "*")
		switch {
		case d.IsDir():
			list[name+"/"] = mode
		case opaque(name):
			list[name] = mode // sealed: whether it is good shows when it is used
		default:
			text, err := os.ReadFile(path)
			orPanic(err)
			list[name] = mode + h.steady(root, string(text))
		}
		return nil
	}))
	return list
}

func opaque(name string) bool {
	return strings.HasSuffix(name, ".entry") || strings.HasSuffix(name, ".lock")
}

// trialResult is one fault in one task, and what was wrong about it.
type trialResult struct {
	*faulty
	fault fault
	run   tracedRun
	root  string
	wrong []string
}

func (v *trialResult) bad(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// judge looks at what the run said and did, and gives the files that it has left behind.
func (v *trialResult) judge(files tree) []string {
	if v.run.hung {
		v.bad("it did not end")
	}
	if v.leak(v.run.err) {
		v.bad("a secret on stderr")
	}
	if strings.Contains(v.run.err, "panic") || strings.Contains(v.run.err, "goroutine ") {
		v.bad("it crashed")
	}
	if !v.fault.kill {
		v.judgeEnd(files)
	}
	if v.fault.errno == syscall.EINTR && !v.fault.short {
		v.judgeInterrupted(files)
	}
	return v.judgeFiles(files)
}

// judgeEnd looks at the exit code and the two streams.
func (v *trialResult) judgeEnd(files tree) {
	out, said := v.steady(v.root, v.run.out), v.errors()
	whole := out == v.good.out
	switch {
	case v.speaks:
	case v.run.code == v.good.code:
		if v.matters() && !strings.Contains(v.run.err, "warning: ") {
			v.bad("exit 0, and nobody was told")
		}
		if careful := v.careful && strings.Contains(v.run.err, "warning: "); !whole && !careful {
			v.bad("exit 0, and stdout is %q", out)
		}
		if len(said) > 0 {
			v.bad("exit 0, and said %q", said)
		}
		for name := range v.after {
			if _, ok := files[name]; !ok && !strings.Contains(name, "/memos") && !strings.Contains(v.run.err, "warning: ") {
				v.bad("exit 0, nothing said, and there is no %s", name)
			}
		}
	case v.run.signal != 0:
		v.bad("it was killed by %v", v.run.signal)
	case v.until && v.run.code == exitInterrupted: // half a line on stdout, and we told it to end
	case v.run.code != max(v.broken, exitFailed):
		v.bad("a broken disk is exit %d", max(v.broken, exitFailed))
	case len(said) != 1:
		v.bad("%d errors: %q", len(said), said)
	case out != "" && v.fault.at.path != "stdout" && !v.isPartial("stdout") && !v.child:
		v.bad("exit %d with %q on stdout", v.run.code, out)
	}
}

// summaryLine is what each says at its end, however it went.
var summaryLine = regexp.MustCompile(`^crossrole: \d+ of \d+ done in `)

// matters says that what was to be kept may not have been. The memo of an answer saves time and nothing else; a folder
// that can't be brought to the disk has its file all the same.
func (v *trialResult) matters() bool {
	if v.fault.errno == syscall.EINTR || strings.Contains(v.fault.at.path, "/memos/") {
		return false
	}
	_, folder := v.after[v.fault.at.path+"/"]
	switch v.fault.at.name {
	case "write", "pwrite64", "renameat", "ftruncate", "fchmod", "fchown":
		return true
	case "fsync", "fdatasync":
		return !folder
	case "openat":
		return v.fault.creates
	}
	return false
}

// errors are the lines that no good run says and that warn of nothing.
func (v *trialResult) errors() []string {
	usual := map[string]bool{}
	for line := range strings.Lines(v.good.err) {
		usual[line] = true
	}
	var list []string
	summary := false
	for line := range strings.Lines(v.steady(v.root, v.run.err)) {
		if summaryLine.MatchString(line) {
			summary = !strings.Contains(line, " 0 failed")
			continue
		}
		if !usual[line] && strings.HasPrefix(line, "crossrole: ") && !strings.HasPrefix(line, "crossrole: warning: ") {
			list = append(list, line)
		}
	}
	if summary && len(list) == 0 {
		list = append(list, "the summary")
	}
	return list
}

// judgeInterrupted wants an interrupted call to be made again, and nobody to notice.
func (v *trialResult) judgeInterrupted(files tree) {
	if v.run.code != v.good.code || v.steady(v.root, v.run.err) != v.good.err {
		v.bad("an interrupted call was noticed")
	}
	for name, text := range v.after {
		if got, ok := files[name]; !ok || got != text {
			v.bad("an interrupted call: %s is %q", name, got)
		}
	}
}

func (v *trialResult) isPartial(name string) bool {
	for _, p := range v.partial {
		if p == name {
			return true
		}
	}
	return false
}

// judgeFiles wants every file to be the old one or the new one. What it gives are files of neither.
func (v *trialResult) judgeFiles(files tree) (left []string) {
	for name, text := range files {
		old, was := v.start[name]
		good, becomes := v.after[name]
		switch {
		case was && text == old, becomes && text == good:
		case becomes && v.isPartial(name) && strings.HasPrefix(good, text):
		case was || becomes:
			v.bad("%s is neither the old file nor the new one: %q", name, text)
		default:
			left = append(left, name)
			if !v.mayLeave(name) {
				v.bad("%s was left behind", name)
			}
		}
	}
	for name := range v.start {
		if _, ok := files[name]; !ok {
			if _, stays := v.after[name]; stays {
				v.bad("%s is gone", name)
			}
		}
	}
	return left
}

// mayLeave says whether a run can't be blamed for a file: it was killed, or kept from removing it.
func (v *trialResult) mayLeave(name string) bool {
	return v.fault.kill || v.fault.at.name == "unlinkat" || strings.HasSuffix(name, ".lock") ||
		strings.Contains(v.run.err, "could not be removed")
}

// judgeNext looks at a clean run behind.
func (v *trialResult) judgeNext(next tracedRun, files tree, left []string) {
	if !v.speaks && next.code != 0 || next.hung {
		v.bad("the next run fails")
	}
	if strings.Contains(next.err, "warning: ") && !strings.Contains(v.next.err, "warning: ") {
		v.bad("the next run warns")
	}
	for _, name := range left {
		if _, still := files[name]; still && !forgiven(name) {
			v.bad("%s is still there after the next run", name)
		}
	}
	if v.again != nil {
		return
	}
	for name, text := range v.second {
		if got := files[name]; got != text && !v.isPartial(name) && !opaque(name) && !strings.HasSuffix(name, "/") {
			v.bad("after the next run %s is %q", name, got)
		}
	}
}

// forgiven are leftovers of a killed run that go by age: the cache's after an hour, and what is in the system's folder
// for temporary files by the system.
func forgiven(name string) bool {
	return strings.HasPrefix(name, "tmp/") || strings.HasSuffix(name, ".lock") || strings.Contains(name, "/.tmp-")
}
