//go:build unix

package run

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// The test binary is also the process that replaces itself or supervises:
// RUN_TEST_MODE says which, the arguments are the command.
func TestMain(m *testing.M) {
	mode := os.Getenv("RUN_TEST_MODE")
	if mode == "" {
		os.Exit(m.Run())
	}
	_ = os.Unsetenv("RUN_TEST_MODE")
	os.Exit(helper(mode, os.Args[1:]))
}

// interrupts says "int" for each SIGINT, as no shell does: its trap runs once
// for two that come together.
func interrupts() int {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM)
	fmt.Println("ready")
	for sig := range sigs {
		if sig == syscall.SIGTERM {
			break
		}
		fmt.Println("int")
	}
	return 7
}

func helper(mode string, args []string) int {
	if mode == "interrupts" {
		return interrupts()
	}
	path, err := Find(args[0], os.Getenv("PATH"))
	status := 0
	if err == nil {
		c := Command{Path: path, Args: args, Env: os.Environ()}
		std := Streams{os.Stdin, os.Stdout, os.Stderr}
		switch mode {
		case "replace":
			status, err = Replace(context.Background(), c, std)
		case "supervise":
			status, err = Supervise(context.Background(), c, std, time.Second)
		}
	}
	var start *StartError
	if errors.As(err, &start) {
		fmt.Fprintln(os.Stderr, err)
		return start.Status
	}
	return status
}

func helperCmd(mode string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "RUN_TEST_MODE="+mode)
	return cmd
}

func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 1000 + int(ws.Signal())
	}
	return exit.ExitCode()
}

func write(t *testing.T, mode os.FileMode, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFind(t *testing.T) {
	good := write(t, 0o755, "tool", "#!/bin/sh\n")
	plain := write(t, 0o644, "tool", "")
	goodDir, plainDir := filepath.Dir(good), filepath.Dir(plain)
	folder := filepath.Join(goodDir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	hidden := filepath.Join(t.TempDir(), "hidden") // from everybody but root
	if err := os.Mkdir(hidden, 0); err != nil {
		t.Fatal(err)
	}
	t.Chdir(goodDir)
	for _, c := range []struct {
		name, path, want string
		status           int
	}{
		{"tool", goodDir, good, 0},
		{"tool", plainDir + ":" + goodDir, good, 0},
		{"tool", "/nowhere:" + goodDir, good, 0},
		{"tool", "", "", 127},
		{"tool", hidden + ":" + goodDir, good, 0},
		{"nothing", hidden, "", 127},
		{"tool", ":/nowhere", "./tool", 0},
		{"tool", plainDir, "", 126},
		{"tool", plainDir + ":/nowhere", "", 126},
		{"folder", goodDir, "", 126},
		{"nothing", goodDir, "", 127},
		{"", goodDir, "", 127},
		{"./tool", "", "./tool", 0},
		{good, "", good, 0},
		{plain, goodDir, "", 126},
		{folder, "", "", 126},
		{"./nothing", goodDir, "", 127},
		{good + "/x", "", "", 127},
	} {
		got, err := Find(c.name, c.path)
		var start *StartError
		if errors.As(err, &start); got != c.want || (start == nil) != (c.status == 0) || start != nil && start.Status != c.status {
			t.Errorf("Find(%q, %q) = %q, %v; want %q, %d", c.name, c.path, got, err, c.want, c.status)
		}
	}
}

func TestExitStatus(t *testing.T) {
	text := write(t, 0o755, "script", "echo via-sh $1\nexit 9\n")
	binary := write(t, 0o755, "binary", "\x00\x01\x02other machine")
	orphan := write(t, 0o755, "orphan", "#!/nowhere/interpreter\n")
	for _, mode := range []string{"replace", "supervise"} {
		died := map[string]int{"replace": 1000, "supervise": 128}[mode]
		for _, c := range []struct {
			args []string
			want int
			out  string
		}{
			{[]string{"sh", "-c", "exit 0"}, 0, ""},
			{[]string{"sh", "-c", "exit 3"}, 3, ""},
			{[]string{"sh", "-c", "exit 255"}, 255, ""},
			{[]string{"sh", "-c", "kill -TERM $$"}, died + 15, ""},
			{[]string{"sh", "-c", "kill -KILL $$"}, died + 9, ""},
			{[]string{"sh", "-c", "echo $0 $1", "a b", "c"}, 0, "a b c\n"},
			{[]string{"no-such-command"}, 127, ""},
			{[]string{text, "arg"}, 9, "via-sh arg\n"},
			{[]string{binary}, 126, ""},
			{[]string{orphan}, 126, ""},
		} {
			t.Run(mode+"/"+filepath.Base(strings.Join(c.args, " ")), func(t *testing.T) {
				cmd := helperCmd(mode, c.args...)
				out, err := cmd.Output()
				if got := status(t, err); got != c.want || string(out) != c.out {
					t.Errorf("status %d, want %d; output %q", got, c.want, out)
				}
			})
		}
	}
}

func TestReplaceIsTheSameProcess(t *testing.T) {
	cmd := helperCmd("replace", "sh", "-c", "echo $$")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("the command ran as %s beside %d", got, cmd.Process.Pid)
	}
}

func TestTheChildHasOnlyTheGivenEnvironment(t *testing.T) {
	t.Setenv("RUN_TEST_SECRET", "x")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	path, err := Find("env", os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Supervise(t.Context(), Command{Path: path, Args: []string{"env"}}, Streams{Out: w}, 0)
	_ = w.Close()
	if out, _ := io.ReadAll(r); err != nil || len(out) > 0 {
		t.Errorf("environment %q, %v", out, err)
	}
}

// begun starts a supervised shell script and waits until it says "ready PID".
func begun(t *testing.T, script string) (cmd *exec.Cmd, child int, out *bufio.Reader) {
	t.Helper()
	cmd = helperCmd("supervise", "sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal, whoever runs the tests
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	out = bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "ready %d", &child); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return cmd, child, out
}

const loop = `while :; do sleep 0.05; done`

func TestSignalsArePassedOn(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			cmd, _, _ := begun(t, fmt.Sprintf(`trap 'exit %d' %d; echo ready $$; %s`, 40+int(sig), int(sig), loop))
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if got := status(t, cmd.Wait()); got != 40+int(sig) {
				t.Errorf("status %d", got)
			}
		})
	}
}

func TestAChildThatIgnoresTheEndIsKilled(t *testing.T) {
	cmd, _, _ := begun(t, `trap '' TERM; echo ready $$; `+loop)
	begun := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := status(t, cmd.Wait()); got != 137 {
		t.Errorf("status %d", got)
	}
	if took := time.Since(begun); took < time.Second || took > 5*time.Second {
		t.Errorf("took %v with a grace of 1s", took)
	}
}

func TestTheChildOfNohupIgnoresHangups(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap '' HUP; exec "$0" "$@"`, helperCmd("supervise").Path, "sh", "-c", "kill -HUP $$; exit 5")
	cmd.Env = append(os.Environ(), "RUN_TEST_MODE=supervise")
	if got := status(t, cmd.Run()); got != 5 {
		t.Errorf("status %d", got)
	}
}

func TestContextStopsTheChild(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	path, err := Find("sleep", os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Supervise(ctx, Command{Path: path, Args: []string{"sleep", "60"}}, Streams{}, time.Second)
	if got != 143 || err != nil {
		t.Errorf("status %d, %v", got, err)
	}
}

func TestTheChildIsToldWhenWeAreKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died")
	}
	cmd, child, out := begun(t, `trap 'echo told; exit' TERM; echo ready $$; `+loop)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); line != "told\n" {
		t.Errorf("child %d said %q, %v", child, line, err)
	}
	_ = cmd.Wait()
}

// terminal is a session with a terminal of its own, read by expect.
type terminal struct {
	*os.File
	mu   sync.Mutex
	text strings.Builder
	from int
}

func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	f, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{File: f}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			term.mu.Lock()
			term.text.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = f.Close(); <-copied })
	return term
}

// expect waits for text after what was expected before.
func (term *terminal) expect(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for range 500 {
		term.mu.Lock()
		at := re.FindStringIndex(term.text.String()[term.from:])
		if at != nil {
			term.from += at[1]
		}
		term.mu.Unlock()
		if at != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	term.mu.Lock()
	defer term.mu.Unlock()
	t.Fatalf("no %q in %q", pattern, term.text.String()[term.from:])
}

func (term *terminal) count(s string) int {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.Count(term.text.String(), s)
}

func TestCtrlCReachesTheChildOnce(t *testing.T) {
	for _, mode := range []string{"supervise", "replace"} {
		t.Run(mode, func(t *testing.T) {
			cmd := helperCmd(mode)
			cmd.Args = append(cmd.Args, "env", "RUN_TEST_MODE=interrupts", cmd.Path)
			term := onTerminal(t, cmd)
			term.expect(t, "ready")
			fmt.Fprint(term, "\x03")
			term.expect(t, `int\r\n`)
			time.Sleep(200 * time.Millisecond) // for a second one, if there were one
			if n := term.count("int\r\n"); n != 1 {
				t.Errorf("the child got %d interrupts", n)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if got := status(t, cmd.Wait()); got != 7 {
				t.Errorf("status %d", got)
			}
		})
	}
}

func TestCtrlCEndsUsWithTheChild(t *testing.T) {
	cmd := helperCmd("supervise", "sh", "-c", `echo ready; exec sleep 60`)
	term := onTerminal(t, cmd)
	term.expect(t, "ready")
	time.Sleep(100 * time.Millisecond)
	fmt.Fprint(term, "\x03")
	if got := status(t, cmd.Wait()); got != 130 {
		t.Errorf("status %d", got)
	}
}

func TestCtrlZAndFg(t *testing.T) {
	self := helperCmd("supervise")
	shell := exec.Command("sh", "-i")
	shell.Env = append(os.Environ(), "RUN_TEST_MODE=supervise", "PS1=PROMPT>", "ENV=", "HELPER="+self.Path, "HISTFILE=")
	term := onTerminal(t, shell)
	term.expect(t, "PROMPT>")
	fmt.Fprint(term, `"$HELPER" sh -c 'n=0; while [ $n -lt 1000 ]; do n=$((n+1)); echo "tick=$n"; sleep 0.05; done'`+"\n")
	term.expect(t, `tick=3\r\n`)
	fmt.Fprint(term, "\x1a")
	term.expect(t, `(Stopped|Suspended|stopped|suspended)`)
	term.expect(t, "PROMPT>")
	time.Sleep(100 * time.Millisecond)
	before := term.count("tick=")
	time.Sleep(300 * time.Millisecond)
	if after := term.count("tick="); after != before {
		t.Errorf("the child went on while stopped: %d lines, then %d", before, after)
	}
	fmt.Fprint(term, "fg\n")
	term.expect(t, `tick=\d+\r\n`)
	fmt.Fprint(term, "\x03")
	term.expect(t, "PROMPT>")
	fmt.Fprint(term, "echo status=$?\n")
	term.expect(t, `status=130`)
	fmt.Fprint(term, "exit\n")
	_ = shell.Wait()
}

// An interactive shell takes the terminal for itself; afterwards it is ours again.
func TestAnInteractiveShellHasTheTerminal(t *testing.T) {
	cmd := helperCmd("supervise", "sh", "-i")
	cmd.Env = append(cmd.Env, "PS1=INNER>", "ENV=")
	term := onTerminal(t, cmd)
	term.expect(t, "INNER>")
	fmt.Fprint(term, "sleep 60\n")
	time.Sleep(200 * time.Millisecond)
	fmt.Fprint(term, "\x03") // ends sleep, neither the shell nor us
	term.expect(t, "INNER>")
	fmt.Fprint(term, "echo got-$((40+2)); exit 6\n")
	term.expect(t, "got-42")
	if got := status(t, cmd.Wait()); got != 6 {
		t.Errorf("status %d", got)
	}
}
