package output

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// What cmd.exe takes our lines for, by the two ways that people use: a batch
// file, and the `for /f` of docs/shells.md at a prompt.
var cmdWays = map[string]string{
	"a batch file": `call "%s"`,
	"for /f":       `for /f "usebackq delims=" %%i in ("%s") do @%%i`,
}

// TestPrintsEnvironment is no test: it is the child that shows, as JSON, which
// variables cmd.exe gave it.
func TestPrintsEnvironment(*testing.T) {
	path := os.Getenv("PRINT_ENVIRONMENT_TO")
	if path == "" {
		return
	}
	seen := map[string]string{}
	for _, name := range []string{"CROSSROLE_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCOUNT_ID", "AWS_REGION", "AWS_PROFILE"} {
		if value, ok := os.LookupEnv(name); ok {
			seen[name] = value
		}
	}
	text, err := json.Marshal(seen)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		os.Exit(1)
	}
}

// inCmd runs the lines of a file in cmd.exe, and gives what a child sees after it.
func inCmd(t *testing.T, way, text string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	batch, seen := filepath.Join(dir, "set.bat"), filepath.Join(dir, "seen.json")
	run := filepath.Join(dir, "run.bat")
	// In a batch file a percent sign is written twice; way has it so.
	script := strings.ReplaceAll(cmdWays[way], "%s", batch)
	child := `"` + os.Args[0] + `" -test.run=^^TestPrintsEnvironment$ >nul`
	for name, content := range map[string]string{batch: text, run: "@echo off\r\n" + script + "\r\n" + child + "\r\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c ""` + run + `""`}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PRINT_ENVIRONMENT_TO="+seen, "AWS_PROFILE=old", "AWS_SESSION_TOKEN=old")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || out.Len() > 0 {
		t.Fatalf("cmd.exe: %v: %s", err, out.Bytes())
	}
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{canary, "touch"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Fatal("a value ran")
		}
	}
	return got
}

// ways are those that this cmd.exe can go: Wine's (8.0) ends a batch file whose
// for runs a built-in command out of its variable.
func ways() []string {
	if syscall.NewLazyDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		return []string{"a batch file"}
	}
	return []string{"a batch file", "for /f"}
}

func TestCmdTakesWhatWePrint(t *testing.T) {
	values := append([]string{
		"a&echo x>canary", "a|echo x>canary", "(echo x>canary)", "a & b", "^", "^^", "a^&b", `C:\Program Files (x86)\x\`, "x=y", "=", ";,", "rem", "/?", "~", "'", "a b  c",
	}, hostile...)
	values = slices.DeleteFunc(values, func(value string) bool {
		_, err := Render(WindowsCmd, named(value))
		return err != nil || value == ""
	})
	if len(values) < 40 {
		t.Fatalf("only %d values could be expressed", len(values))
	}
	for _, c := range packs(values) {
		text, err := Render(WindowsCmd, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range ways() {
			got := inCmd(t, way, text)
			for name, want := range map[string]string{
				"CROSSROLE_PROFILE": c.Profile, "AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey,
				"AWS_SESSION_TOKEN": c.SessionToken, "AWS_ACCOUNT_ID": c.AccountID, "AWS_REGION": c.Region,
			} {
				if got[name] != want {
					t.Errorf("%s: %s is %q, want %q", way, name, got[name], want)
				}
			}
			if old, ok := got["AWS_PROFILE"]; ok {
				t.Errorf("%s: AWS_PROFILE is still %q", way, old)
			}
		}
	}
}

func TestCmdTakesTheSessionAway(t *testing.T) {
	text, err := Render(WindowsCmd, plain())
	if err != nil {
		t.Fatal(err)
	}
	if got := inCmd(t, "a batch file", text+cmdRestore()); len(got) != 0 {
		t.Errorf("still there: %v", got)
	}
	if got := inCmd(t, "a batch file", cmdRestore()); got["AWS_PROFILE"] != "old" {
		t.Errorf("without a session something was taken away: %v", got)
	}
}
