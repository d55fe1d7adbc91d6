package output

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// restorers are shells with a session that comes, is replaced by another, and
// goes: $1 and $2 are the texts of the sessions, $3 the one that takes it away.
// Between two lines of dashes there is the environment of a child.
var restorers = map[string]struct{ format, script string }{
	"bash":     {Env, `set -u; eval $(cat "$1"); env; echo ---; eval $(cat "$2"); eval $(cat "$3"); env; echo ---; eval $(cat "$3"); env; set | grep ^CROSSROLE_ && exit 1; true`},
	"bash -eu": {Env, `eval "$(cat "$1")"; env; echo ---; eval "$(cat "$2")"; eval "$(cat "$3")"; env; echo ---; eval "$(cat "$3")"; env`},
	"dash":     {Env, `eval $(cat "$1"); env; echo ---; eval $(cat "$2"); eval $(cat "$3"); env; echo ---; eval $(cat "$3"); env`},
	"zsh -f":   {Env, `eval $(cat "$1"); env; echo ---; eval $(cat "$2"); eval $(cat "$3"); env; echo ---; eval $(cat "$3"); env`},
	"ksh":      {Env, `eval $(cat "$1"); env; echo ---; eval $(cat "$2"); eval $(cat "$3"); env; echo ---; eval $(cat "$3"); env`},
	"fish -N":  {Fish, `source $argv[1]; env; echo ---; eval (cat $argv[2]); source $argv[3]; env; echo ---; eval (cat $argv[3]); env; set -n | grep ^CROSSROLE_`},
}

// before are environments that a session replaces.
var before = map[string][]string{
	"nothing":        {},
	"a profile":      {"AWS_PROFILE=old", "AWS_REGION=us-east-1"},
	"long-term keys": {"AWS_ACCESS_KEY_ID=AKIAOLD", "AWS_SECRET_ACCESS_KEY=" + oldSecret, "AWS_DEFAULT_PROFILE="},
	"hostile values": {"AWS_PROFILE=it's $(touch canary) * `touch canary`\n two  \\", "AWS_SESSION_TOKEN=\xff’\n\n", "AWS_SECURITY_TOKEN=-n"},
}

const oldSecret = "canaryOfBefore"

// child is what a child saw: the AWS variables, sorted.
func child(printed string) []string {
	var lines []string
	for entry := range strings.SplitSeq(printed, "\n") {
		if strings.HasPrefix(entry, "AWS_") || strings.HasPrefix(entry, "CROSSROLE_") {
			lines = append(lines, entry)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestRestoreInRealShells(t *testing.T) {
	other := plain()
	other.Profile, other.Region, other.SessionToken = "other profile", "ap-northeast-1", ""
	for shell, r := range restorers {
		words := strings.Fields(shell)
		if !look(t, words[0]) {
			continue
		}
		for situation, extra := range before {
			t.Run(shell+" "+situation, func(t *testing.T) {
				t.Parallel()
				environ := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}, extra...)
				first, err := Render(r.format, plain(), Kept(environ)...)
				second, err2 := Render(r.format, other, Kept(append(environ, "CROSSROLE_PROFILE=prod"))...)
				restore, err3 := Restore(r.format)
				if err != nil || err2 != nil || err3 != nil {
					t.Fatal(err, err2, err3)
				}
				if strings.Contains(first+second, oldSecret) {
					t.Error("the text holds a secret of before")
				}
				args := append(words[1:], "-c", r.script)
				if r.format == Env {
					args = append(args, shell)
				}
				dir := t.TempDir()
				for i, text := range []string{first, second, restore} {
					file := filepath.Join(dir, string(rune('a'+i)))
					if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					args = append(args, file)
				}
				checkRestored(t, run(t, environ, words[0], args...), extra)
			})
		}
	}
}

func run(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = environ, playground(t)
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.HasPrefix(name, "fish") { // whose grep finds nothing, which is right
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, canary)); err == nil {
		t.Fatalf("%s ran a value", name)
	}
	return string(out)
}

func checkRestored(t *testing.T, printed string, extra []string) {
	t.Helper()
	parts := strings.Split(printed, "---\n")
	if len(parts) != 3 {
		t.Fatalf("%d parts in %q", len(parts), printed)
	}
	for name, want := range map[string]string{"AWS_ACCESS_KEY_ID": plain().AccessKeyID, "CROSSROLE_PROFILE": "prod"} {
		if !slices.Contains(child(parts[0]), name+"="+want) {
			t.Errorf("the session's %s is not in %q", name, child(parts[0]))
		}
	}
	if strings.Contains(parts[0], oldSecret) || strings.Contains(parts[0], "CROSSROLE_WAS") {
		t.Errorf("a child of the session sees what was before: %q", child(parts[0]))
	}
	want := child(strings.Join(extra, "\n"))
	for i, when := range []string{"after it", "after restoring twice"} {
		if got := child(parts[i+1]); !slices.Equal(got, want) {
			t.Errorf("%s the environment is %q, want %q", when, got, want)
		}
	}
}

func TestNushellRestore(t *testing.T) {
	if !look(t, "nu") {
		return
	}
	restore, _ := Restore(Nushell)
	for situation, extra := range before {
		if situation == "hostile values" {
			extra = []string{"AWS_PROFILE=it's \"$(x)\" * `y`"} // its texts are Unicode, and env has one a line
		}
		environ := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, extra...)
		first, _ := Render(Nushell, plain(), Kept(environ)...)
		second, _ := Render(Nushell, plain(), Kept(append(environ, "CROSSROLE_PROFILE=x"))...)
		show := "^env\nprint '---'\n"
		script := first + show + second + restore + show + restore + "^env\n"
		checkRestored(t, run(t, environ, "nu", "-n", "-c", script), extra)
	}
}

func TestKept(t *testing.T) {
	environ := []string{"AWS_REGION=x", "AWS_PROFILE=", "HOME=/", "AWS_PROFILE=twice", "AWS_CA_BUNDLE=y"}
	if got := Kept(environ); !slices.Equal(got, []string{"AWS_PROFILE", "AWS_REGION"}) {
		t.Errorf("got %q", got)
	}
	if got := Kept(append(environ, "CROSSROLE_PROFILE=prod")); got != nil {
		t.Errorf("within a session: %q", got)
	}
}

func TestRestoreFormats(t *testing.T) {
	for _, format := range RestoreFormats() {
		if text, err := Restore(format); err != nil || !strings.HasSuffix(text, "\n") || !strings.Contains(text, "AWS_SECURITY_TOKEN") {
			t.Errorf("%s: %v, %q", format, err, text)
		}
	}
	if _, err := Restore(JSON); err == nil {
		t.Error("json restores nothing")
	}
	text, _ := Restore(PowerShell)
	if strings.Count(text, "\n") != 1 || strings.Count(text, "{") != strings.Count(text, "}") {
		t.Errorf("Invoke-Expression would run each line of %q by itself", text)
	}
	text, _ = Render(PowerShell, plain(), "AWS_PROFILE")
	if !strings.HasPrefix(text, "$global:CROSSROLE_WAS_PROFILE = $env:AWS_PROFILE;\n") {
		t.Errorf("got %q", text)
	}
}

func TestSessionRegion(t *testing.T) {
	env := map[string]string{"CROSSROLE_PROFILE": "prod", "CROSSROLE_SESSION_REGION": "eu-west-1"}
	getenv := func(name string) string { return env[name] }
	if !SessionRegion(getenv, "eu-west-1") || SessionRegion(getenv, "us-east-1") || SessionRegion(getenv, "") {
		t.Error("the session's region is not told from another")
	}
	c := plain()
	c.RegionWasThere = true
	if text, _ := Render(Env, c); !strings.Contains(text, "unset") || strings.Contains(text, "export CROSSROLE_SESSION_REGION") {
		t.Errorf("a region of before is marked as the session's: %s", text)
	}
}
