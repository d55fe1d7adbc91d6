package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

// helpTexts are the command lines that print a text of the program's own: help for every command of the tree, in each
// of the ways to ask for it.
func helpTexts(cmd *cobra.Command, path []string) [][]string {
	help := slices.Concat(path, []string{"--help"})
	lines := [][]string{help, slices.Concat(path, []string{"-h"}), slices.Concat([]string{"help"}, path)}
	for _, sub := range cmd.Commands() {
		lines = append(lines, helpTexts(sub, slices.Concat(path, []string{sub.Name()}))...)
	}
	return lines
}

// Asking for help reads no file of the user's, writes none, and calls nobody, wherever the environment points.
func TestHelpTouchesNothing(t *testing.T) {
	path, err := program()
	noError(t, err)
	root := newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, getenv: func(string) string { return "" }})
	lines := append(helpTexts(root, nil), []string{"--version"})
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		lines = append(lines, []string{"completion", shell}, []string{"init", shell})
	}
	if len(lines) < 60 {
		t.Fatalf("only %d command lines: the tree was not walked", len(lines))
	}
	lines = append(lines, []string{"list"}) // which does read
	dir := t.TempDir()
	noError(t, os.Mkdir(filepath.Join(dir, ".aws"), 0o700))
	noError(t, os.WriteFile(filepath.Join(dir, ".aws", "config"), []byte("[profile a]\nregion = eu-west-1\n"), 0o600))
	var mu sync.Mutex
	watched := 0
	together(len(lines), func(i int) {
		var touched []string
		seen := 0
		r := tracedRun{path: path, args: lines[i], dir: dir, root: dir, env: append(instruments(),
			"HOME="+dir, "PATH="+os.Getenv("PATH"), "TMPDIR="+dir, "XDG_CACHE_HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir, "GITHUB_ENV="+filepath.Join(dir, "env"),
			"AWS_PROFILE=a", "AWS_CONFIG_FILE="+filepath.Join(dir, ".aws", "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(dir, ".aws", "credentials"))}
		r.watch = func(call, file string) {
			seen++
			if !ownOnly(call, file) {
				touched = append(touched, call+" "+file)
			}
		}
		orPanic(r.trace())
		mu.Lock()
		defer mu.Unlock()
		watched += seen
		switch {
		case i == len(lines)-1 && len(touched) == 0:
			t.Error("list was not seen to read the profiles: the tracer is blind")
		case i == len(lines)-1:
		case r.code != 0 || r.err != "" || r.out == "":
			t.Errorf("%v: exit %d, %d bytes, said %q", r.args, r.code, len(r.out), r.err)
		case len(touched) > 0:
			t.Errorf("%v touched %q", r.args, touched)
		}
	})
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	t.Logf("%d command lines, %d calls watched", len(lines), watched)
}

// ownOnly says that a call is the Go runtime's own start, or about what the process was given.
func ownOnly(call, file string) bool {
	switch call {
	case "execve", "read", "pread64", "close", "fstat", "write": // of what was opened, which was judged then
		return true
	case "openat":
		return file == "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size" || file == "/proc/self/cgroup" || file == "/proc/self/mountinfo" ||
			strings.HasPrefix(file, "/sys/fs/cgroup/")
	}
	return false
}
