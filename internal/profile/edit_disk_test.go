package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"crossrole/internal/disk"
)

// childVariable makes the test binary edit a file instead of testing.
const childVariable = "CROSSROLE_PROFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVariable); how != "" {
		os.Exit(child(how, os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

// child edits a section: "once", or "forever" with a growing value.
func child(how, path, section string) int {
	if how == "limited" {
		defer limitFileSize()()
		how = "once"
	}
	fmt.Println("ready")
	for i := 0; ; i++ {
		value := strings.Repeat("x", 1+i%5000)
		_, err := EditSection(context.Background(), path, section, edits(Edit{Set: []Setting{{"a", value}, {"b", value}}}), EditOptions{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if how == "once" {
			return 0
		}
	}
}

func startChild(t *testing.T, how, path, section string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, path, section)
	cmd.Env = append(os.Environ(), childVariable+"="+how)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		t.Fatal(err)
	}
	return cmd, &stderr
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A writer that is killed at any instant leaves the old file or the new one,
// holds nobody up, and its temp file goes with the next edit.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials")
	rest := "# keep\n[other]\nkey = " + strings.Repeat("y", 20_000) + "\n"
	write(t, path, rest+"[a]\na = 1\nb = 1\n")
	for i := range 25 {
		cmd, _ := startChild(t, "forever", path, "a")
		time.Sleep(time.Duration(i*i) * 100 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), rest+"[a]\n") {
			t.Fatalf("round %d: the rest changed, or the file is cut: %d bytes", i, len(data))
		}
		p, err := mustLoad(t, path).Profile("a")
		if err != nil || p.Get("a").Text != p.Get("b").Text || p.Get("a").Text == "" {
			t.Fatalf("round %d: half an edit: %v, %v", i, p, err)
		}
	}
	if _, err := EditSection(context.Background(), path, "a", edits(Edit{Set: []Setting{{"a", "end"}, {"b", "end"}}}), EditOptions{}); err != nil {
		t.Fatal(err)
	}
	if names := folderNames(t, dir); names != "credentials" {
		t.Errorf("left behind: %s", names)
	}
}

func mustLoad(t *testing.T, credentials string) *Set {
	t.Helper()
	s, err := Load(Files{Credentials: credentials}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Many processes that write at once lose nothing of each other.
func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	const writers = 12
	var running []*exec.Cmd
	for i := range writers {
		cmd, _ := startChild(t, "once", path, fmt.Sprintf("section-%d", i))
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if names := mustLoad(t, path).Names(); len(names) != writers {
		t.Errorf("%d sections: %v", len(names), names)
	}
}

// links tells whether files can be linked here: only Windows may say no.
func links(t *testing.T) bool {
	t.Helper()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("target", link); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// A folder that somebody holds for good is an error in the end, not a hang.
func TestBusyFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	unlock, err := disk.LockFolder(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = EditSection(ctx, path, "a", edits(Edit{}), EditOptions{})
	if e, ok := errors.AsType[*EditError](err); !ok || !errors.Is(err, disk.ErrBusy) || e.Refused() {
		t.Errorf("%v", err)
	}
}

// Somebody who doesn't know of the lock writes between our reading and our
// writing: the edit is made again on what they wrote.
func TestChangedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write(t, path, "[a]\nx = 1\n")
	times := 0
	_, err := EditSection(context.Background(), path, "a", func(Section) (Edit, error) {
		if times++; times == 1 {
			write(t, path, "[a]\nx = 1\n[theirs]\ny = 2\n")
		}
		return Edit{Set: []Setting{{"x", "3"}}}, nil
	}, EditOptions{})
	if err != nil || times != 2 {
		t.Errorf("%d times, %v", times, err)
	}
	assertFile(t, path, "[a]\nx = 3\n[theirs]\ny = 2\n", 0o600)
	_, err = EditSection(context.Background(), path, "a", func(Section) (Edit, error) {
		times++
		write(t, path, fmt.Sprintf("[a]\nx = %d\n", times))
		return Edit{Set: []Setting{{"x", "end"}}}, nil
	}, EditOptions{})
	if !errors.Is(err, disk.ErrChanged) {
		t.Errorf("always changed: %v", err)
	}
}

func TestEditThroughLinks(t *testing.T) {
	dir := t.TempDir()
	if !links(t) {
		t.Skip("Windows gives links to administrators, and Wine to nobody")
	}
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(real, "credentials"), "[a]\nx = 1\n")
	for name, target := range map[string]string{
		"absolute": filepath.Join(real, "credentials"),
		"relative": filepath.Join("real", "credentials"),
		"twice":    "relative",
		"dangling": filepath.Join("real", "new"),
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"absolute", "relative", "twice", "dangling"} {
		link := filepath.Join(dir, name)
		result, err := EditSection(context.Background(), link, "a", edits(Edit{Set: []Setting{{"x", name}}}), EditOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more", name)
		}
		assertFile(t, result.Path, "[a]\nx = "+name+"\n", 0o600)
	}
	if names := folderNames(t, real); names != "credentials new" {
		t.Errorf("the folder has %s", names)
	}
	round := filepath.Join(dir, "round")
	if err := os.Symlink(round, round); err != nil {
		t.Fatal(err)
	}
	if _, err := EditSection(context.Background(), round, "a", edits(Edit{}), EditOptions{}); err == nil {
		t.Error("a link to itself was written")
	}
}

// What decide refuses, and what cannot be written, leaves the file alone.
func TestEditRefusedLeavesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "credentials")
	text := "[a]\nx = 1\n[b]\n[b]\n"
	write(t, path, text)
	no := errors.New("no")
	for section, decide := range map[string]func(Section) (Edit, error){
		"a": func(s Section) (Edit, error) {
			if !s.Exists || s.Properties["x"].Text != "1" || s.Properties["x"].Origin.Line != 2 {
				t.Errorf("decide got %+v", s)
			}
			return Edit{}, no
		},
		"b":    edits(Edit{Set: []Setting{{"x", "1"}}}),
		"c]":   edits(Edit{Set: []Setting{{"x", "1"}}}),
		"evil": edits(Edit{Set: []Setting{{"x", "1\n[z]"}}}),
	} {
		_, err := EditSection(context.Background(), path, section, decide, EditOptions{})
		e, refused := errors.AsType[*EditError](err)
		if !errors.Is(err, no) && (!refused || !e.Refused() || !IsConfiguration(err)) {
			t.Errorf("%s: %v", section, err)
		}
	}
	dry, err := EditSection(context.Background(), path, "a", edits(Edit{Set: []Setting{{"x", "2"}}}), EditOptions{DryRun: true})
	if err != nil || !dry.Changed || !strings.Contains(string(dry.After), "x = 2") {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	assertFile(t, path, text, 0o600)
	if names := folderNames(t, dir); names != "credentials" {
		t.Errorf("left behind: %s", names)
	}
	missing := filepath.Join(dir, "none", "credentials")
	if _, err := EditSection(context.Background(), missing, "a", edits(Edit{Set: []Setting{{"x", "1"}}}), EditOptions{DryRun: true}); err != nil {
		t.Error(err)
	}
	if names := folderNames(t, dir); names != "credentials" {
		t.Errorf("a dry run made %s", names)
	}
}

// Nothing changes, nothing is written: the file keeps its inode.
func TestEditWithoutChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write(t, path, "[a]\nx = 1")
	before, err := disk.Identify(path)
	if err != nil {
		t.Fatal(err)
	}
	result, err := EditSection(context.Background(), path, "a", edits(Edit{Set: []Setting{{"x", "1"}}}), EditOptions{})
	if after, _ := disk.Identify(path); err != nil || result.Changed || after != before {
		t.Errorf("%+v, %v", result, err)
	}
}
