//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"crossrole/internal/localsts"
)

// docsLimit is for one page.
const docsLimit = 2 * time.Minute

// Every command line of every page works as the page says, typed into one shell from the page's beginning to its end.
func TestDocsRun(t *testing.T) {
	for name, text := range pages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, problem := range runPage(t, text) {
				t.Errorf("%s: %s", name, problem)
			}
		})
	}
}

// runPage runs a page's commands and gives what is wrong.
func runPage(t *testing.T, text string) []string {
	t.Helper()
	fences, err := parseFences(text)
	if err != nil {
		return []string{err.Error()}
	}
	steps, err := stepsOf(fences)
	if err != nil {
		return []string{err.Error()}
	}
	problems := readByFish(fences)
	home := newDesk(t)
	for _, shell := range []string{"sh", "bash", "zsh"} {
		some := slices.ContainsFunc(steps, func(s step) bool { return s.shell == shell && s.file == "" })
		if _, err := exec.LookPath(shell); some && (err == nil || shell == "sh") {
			problems = append(problems, home.run(shell, steps)...)
		}
	}
	return problems
}

// readByFish lets fish look at what is meant for it.
func readByFish(fences []fence) []string {
	var problems []string
	for _, f := range fences {
		if _, err := exec.LookPath("fish"); f.lang != "fish" || err != nil {
			continue
		}
		cmd := exec.Command("fish", "--no-execute", "--no-config")
		cmd.Stdin = strings.NewReader(f.text())
		if out, err := cmd.CombinedOutput(); err != nil {
			problems = append(problems, fmt.Sprintf("line %d: fish can't read it: %s", f.line, out))
		}
	}
	return problems
}

// desk is where the pages' reader sits: a home with profiles, an STS that plays the accounts, programs that need
// credentials, and a terminal on which questions are answered.
type desk struct {
	t    *testing.T
	home string
	env  []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, stop := newStage(t, localsts.Options{}, docsAccounts(t)...)
	t.Cleanup(stop)
	d := &desk{t: t, home: filepath.Join(t.TempDir(), "me")}
	env, err := s.environment(d.home)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(d.home, ".aws")); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{".aws": "testdata/docs/aws", "examples": "../../examples", ".": "testdata/docs/files"} {
		if err := os.CopyFS(filepath.Join(d.home, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{".aws/config": 0o600, ".aws/credentials": 0o600, "nightly-job": 0o755} {
		if err := os.Chmod(filepath.Join(d.home, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	d.env = append(env, "PATH="+d.programs()+":"+os.Getenv("PATH"), "SHELL="+d.home+"/bin/shell", "TERM=xterm", "NO_COLOR=1", "LC_ALL=C.UTF-8",
		"XDG_RUNTIME_DIR="+d.home, "ENV=")
	return d
}

// programs are crossrole and what stands in for everybody else, wherever a page calls them.
func (d *desk) programs() string {
	dir := filepath.Join(d.home, "bin")
	err := os.CopyFS(dir, os.DirFS("testdata/docs/bin"))
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.Chmod(filepath.Join(dir, e.Name()), 0o755))
	}
	self, e := os.Executable()
	for _, name := range []string{"crossrole", "oathtool"} {
		err = errors.Join(err, e, os.Symlink(self, filepath.Join(dir, name)))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return dir
}

func docsAccounts(t *testing.T) []*localsts.Account {
	t.Helper()
	files, err := filepath.Glob("testdata/docs/accounts/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no accounts", err)
	}
	var out []*localsts.Account
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		account, err := localsts.ReadAccount(f, localsts.FileOptions{})
		_ = f.Close()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, account.Account)
	}
	return out
}

var (
	inEval     = regexp.MustCompile(`(?m)^eval ("?)\$\((.*?)\)"?( *#.*)?$`)
	background = regexp.MustCompile(`> *(\S+) *&\s*(#.*)?$`)
)

// checked makes a command line tell of a failure that the shell would not: eval of nothing succeeds.
func checked(text string) string {
	return inEval.ReplaceAllString(text, "__code=$$($2)\neval $1$$__code$1")
}

// script is a page as one shell script. Each step's output goes to a file of its number, and its exit code to another.
func script(shell string, steps []step, out string) string {
	var b strings.Builder
	b.WriteString("set -eu\n__jobs=\ntrap 'test -z \"$__jobs\" || kill $__jobs 2>/dev/null || :' EXIT\n")
	for i, s := range steps {
		path := filepath.Join(out, strconv.Itoa(i))
		switch {
		case s.file != "":
			fmt.Fprintf(&b, "mkdir -p \"$(dirname %s)\"; cat %s.file >%s; chmod 600 %s\n", s.file, path, s.file, s.file)
			continue
		case s.shell != shell:
			continue
		case s.exit != 0:
			b.WriteString("set +e\n")
		}
		fmt.Fprintf(&b, "{\n%s} >%s.out 2>&1 </dev/null\necho $? >%s.exit\nset -e\n", checked(s.text), path, path)
		if m := background.FindStringSubmatch(strings.TrimSpace(s.text)); m != nil {
			fmt.Fprintf(&b, "__jobs=\"$__jobs $!\"; __n=0; while ! test -s %s && test $__n -lt 200; do sleep 0.05; __n=$((__n+1)); done\n", m[1])
		}
	}
	return b.String()
}

// run types the steps into a shell, and gives what is wrong.
func (d *desk) run(shell string, steps []step) []string {
	d.t.Helper()
	out := d.t.TempDir()
	for i, s := range steps {
		if s.file != "" {
			if err := os.WriteFile(filepath.Join(out, strconv.Itoa(i)+".file"), []byte(s.text), 0o600); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	path := filepath.Join(out, "script")
	if err := os.WriteFile(path, []byte(script(shell, steps, out)), 0o600); err != nil {
		d.t.Fatal(err)
	}
	said := d.enter(shell, path)
	return d.judge(shell, steps, out, said)
}

// enter runs the script with a terminal for questions, and gives what the shell itself said.
func (d *desk) enter(shell, path string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), docsLimit)
	defer cancel()
	screen, tty, err := pty.Open()
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = screen.Close() }()
	var said lockedBuffer
	cmd := exec.CommandContext(ctx, shell, path)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.home, d.env, &said, &said
	cmd.ExtraFiles = []*os.File{tty}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	go answerQuestions(screen, d.home)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	_ = tty.Close()
	err = cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Sprintf("it took more than %s. ", docsLimit) + said.String()
	}
	if err != nil {
		return said.String() + err.Error()
	}
	return said.String()
}

// answerQuestions is the person at the terminal: says yes, and types the device's code.
func answerQuestions(screen *os.File, home string) {
	buf := make([]byte, 4096)
	shown := ""
	for {
		n, err := screen.Read(buf)
		if err != nil {
			return
		}
		shown += string(buf[:n])
		var answer string
		switch {
		case strings.HasSuffix(shown, "[y/N] "):
			answer = "y\n"
		case strings.Contains(shown, "profile: "):
			answer = "prod\r"
		case strings.Contains(shown, "MFA code") && strings.HasSuffix(shown, ": "):
			answer = docsCode(home) + "\n"
		default:
			continue
		}
		shown = ""
		time.Sleep(50 * time.Millisecond) // until the echo is off
		_, _ = screen.WriteString(answer)
	}
}

// judge compares what happened with what the page says.
func (d *desk) judge(shell string, steps []step, out, said string) []string {
	var problems []string
	for i, s := range steps {
		if s.shell != shell || s.file != "" {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(out, strconv.Itoa(i)+".out"))
		got := strings.NewReplacer(d.home, "/home/me", "crossrole-"+newApp().who(), "crossrole-me").Replace(string(text))
		code, err := os.ReadFile(filepath.Join(out, strconv.Itoa(i)+".exit"))
		if err != nil {
			return append(problems, fmt.Sprintf("line %d: failed: %s%s%s", s.line, s.text, got, said))
		}
		if want := strconv.Itoa(s.exit); strings.TrimSpace(string(code)) != want {
			problems = append(problems, fmt.Sprintf("line %d: exit %s, want %s: %s%s", s.line, strings.TrimSpace(string(code)), want, s.text, got))
		}
		if s.want != nil && !matches(s.want, got) {
			problems = append(problems, fmt.Sprintf("line %d: %sthe page says\n%s\nit printed\n%s", s.line, s.text, strings.Join(s.want, "\n"), got))
		}
	}
	return problems
}

// A page that is wrong is found to be: otherwise the tests above prove nothing.
func TestDocsHarnessFindsWhatIsWrong(t *testing.T) {
	fenced := func(info, text string) string { return "```" + info + "\n" + text + "\n```\n" }
	for what, tt := range map[string]struct{ page, want string }{
		"a right page":             {fenced("sh", "eval $(crossrole assume prod)\naws s3 ls\neval $(crossrole unset)"), ""},
		"a question":               {fenced("sh", "eval $(crossrole assume admin)\naws s3 ls"), ""},
		"a right transcript":       {fenced("console", "$ crossrole whoami prod --format json\n{\n…\n  \"account\": \"222222222222\",\n…\n}"), ""},
		"an expected failure":      {fenced("console exit=4", "$ crossrole assume denied\ncrossrole: …\n…"), ""},
		"a file for the next":      {fenced("json file=x/y.json", "{}") + fenced("sh", "test \"$(cat x/y.json)\" = '{}'"), ""},
		"a wrong command":          {fenced("sh", "crossrole assmue prod"), "unknown command"},
		"a wrong flag":             {fenced("sh", "crossrole assume prod --shwo"), "unknown flag"},
		"a failure inside eval":    {fenced("sh", "eval $(crossrole assume nobody)"), "nobody"},
		"credentials that are not": {fenced("sh", "aws s3 ls"), "failed"},
		"another exit code":        {fenced("sh exit=3", "crossrole assume denied"), "exit 4, want 3"},
		"a success, not a failure": {fenced("sh exit=4", "crossrole assume prod"), "exit 0, want 4"},
		"another output":           {fenced("console", "$ crossrole policy permission --role-arn arn:aws:iam::222222222222:role/x\nnothing"), "it printed"},
		"no language":              {fenced("", "crossrole assume prod"), "without a language"},
		"a command that hides":     {fenced("text", "crossrole assume prod"), "is not run"},
		"a wrong process":          {fenced("ini", "credential_process = crossrole assume nobody --format process"), "nobody"},
		"an open fence":            {"```sh\ntrue\n", "never closed"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			problems := strings.Join(runPage(t, tt.page), "\n")
			if tt.want == "" && problems != "" || !strings.Contains(problems, tt.want) {
				t.Errorf("found: %q", problems)
			}
		})
	}
}
