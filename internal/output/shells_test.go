package output

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Here the real shells run what we print. Those that are not installed are
// passed over, and `go test -tags interop` demands all of them.

// shell is how one shell reads what we print.
type shell struct {
	name   string
	format string
	args   []string // before the files; prints what shown lists after each, ended by NULs
}

// posixLoops are the ways to eval, and the settings in which they must work.
func posixLoops(setup string) []string {
	const show = `printf '%s\0' "$CROSSROLE_PROFILE" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" "$AWS_ACCOUNT_ID" "$AWS_REGION"; done`
	return []string{
		setup + ` for f do eval $(cat "$f"); ` + show,
		setup + ` for f do eval "$(cat "$f")"; ` + show,
	}
}

func posixShells() []shell {
	setups := map[string][]string{
		"bash": {"", "set -euf;", "set -eu; shopt -s nullglob dotglob extglob;", "shopt -s failglob globstar;", "set -o posix; IFS='\n';", "IFS=;", "IFS=' ';", "set -H;"},
		"dash": {"", "set -euf;", "IFS='\n';", "IFS=;"},
		"zsh": {
			"", "set -eu; setopt extendedglob nullglob;", "emulate sh; set -eu;", "emulate ksh;", "setopt shwordsplit globsubst;",
			"setopt globsubst extendedglob magicequalsubst;", "setopt noglob;", "IFS=;",
		},
		"ksh":     {"", "set -euf;", "IFS='\n';", "set -o noglob;"},
		"busybox": {"", "set -euf;"},
		"sh":      {""},
	}
	args := map[string][]string{"zsh": {"-f"}, "busybox": {"sh"}}
	var shells []shell
	for name, list := range setups {
		for _, setup := range list {
			for _, script := range posixLoops(setup) {
				shells = append(shells, shell{name: name, format: Env, args: append(args[name], "-c", script, name)})
			}
		}
		noExport := strings.Replace(posixLoops("")[0], "for f do", "unset CROSSROLE_PROFILE; for f do", 1)
		shells = append(shells, shell{name: name, format: EnvNoExport, args: append(args[name], "-c", noExport, name)})
	}
	return shells
}

func allShells() []shell {
	const fishLoop = ` printf '%s\0' "$CROSSROLE_PROFILE" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" "$AWS_ACCOUNT_ID" "$AWS_REGION"; end`
	return append(posixShells(),
		shell{name: "fish", format: Fish, args: []string{"-N", "-c", "for f in $argv; eval (cat $f);" + fishLoop}},
		shell{name: "fish", format: Fish, args: []string{"-N", "-c", "for f in $argv; source $f;" + fishLoop}},
		shell{name: "fish", format: Fish, args: []string{"-N", "-c", "for f in $argv; cat $f | source;" + fishLoop}},
	)
}

// required are the shells that the interop tests may not pass over.
var required = []string{"bash", "dash", "zsh", "ksh", "fish", "nu"}

func look(t *testing.T, name string) bool {
	t.Helper()
	if runtime.GOOS == "windows" {
		return false // these shells, where they are there, live in another world of paths
	}
	_, err := exec.LookPath(name)
	if err != nil && demandShells && slices.Contains(required, name) {
		t.Errorf("%s is not installed", name)
	}
	return err == nil
}

// playground is a folder whose files match what a glob in a value would match.
func playground(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "ab", "x", "';", "'x'", "101", "b';", "`", "export", "A", "1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// writeTexts renders each value as a profile's name into a file, and gives the
// files and the values that the format can express.
func writeTexts(t *testing.T, format string, values []string) (files, want []string) {
	t.Helper()
	dir := t.TempDir()
	for i, value := range values {
		text, err := Render(format, named(value))
		if err != nil {
			continue
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files, want = append(files, file), append(want, value)
	}
	if len(files) == 0 {
		t.Fatal("no value could be expressed")
	}
	return files, want
}

// environment is what a shell under test starts with: things to be unset.
func environment(t *testing.T) []string {
	t.Helper()
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "AWS_PROFILE=old", "AWS_DEFAULT_PROFILE=old",
		"AWS_SECURITY_TOKEN=old", "AWS_SESSION_TOKEN=old", "AWS_SESSION_EXPIRATION=old", "CROSSROLE_PROFILE=old",
	}
}

func execute(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = environment(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%s %.200q: %v, stderr %q", name, args, err, stderr.String())
	}
	if _, err := os.Stat(filepath.Join(dir, canary)); err == nil {
		t.Fatalf("%s %.200q ran a value", name, args)
	}
	return stdout.String()
}

// packs puts the values into credentials, as many as they hold.
func packs(values []string) []Credentials {
	var list []Credentials
	for len(values) > 0 {
		c := plain()
		for _, field := range []*string{&c.Profile, &c.AccessKeyID, &c.SecretAccessKey, &c.SessionToken, &c.AccountID, &c.Region} {
			if len(values) > 0 {
				*field, values = values[0], values[1:]
			}
		}
		list = append(list, c)
	}
	return list
}

// shown is what the scripts print of credentials.
func shown(c Credentials) []string {
	return []string{c.Profile, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.AccountID, c.Region}
}

func TestHostileValuesInRealShells(t *testing.T) {
	var want []string
	byFormat := map[string][]string{}
	dir := t.TempDir()
	for i, c := range packs(append(randomValues(60), hostile...)) {
		for _, format := range []string{Env, EnvNoExport, Fish} {
			text, err := Render(format, c)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s.%d", format, i))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			byFormat[format] = append(byFormat[format], file)
		}
		want = append(want, shown(c)...)
	}
	for _, sh := range allShells() {
		if !look(t, sh.name) {
			continue
		}
		t.Run(sh.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Split(execute(t, playground(t), sh.name, append(sh.args, byFormat[sh.format]...)...), "\x00")
			if len(got) != len(want)+1 {
				t.Fatalf("%q answers %d values, want %d", sh.args, len(got)-1, len(want))
			}
			for i, value := range want {
				if got[i] != value {
					t.Errorf("%q reads %q as %q", sh.args, value, got[i])
				}
			}
		})
	}
}

// printers end a script by showing the environment of a child.
var printers = map[string]struct{ format, load string }{
	"bash": {Env, `eval $(cat "$1"); env`},
	"dash": {Env, `eval $(cat "$1"); env`},
	"zsh":  {Env, `eval $(cat "$1"); env`},
	"ksh":  {Env, `eval $(cat "$1"); env`},
	"fish": {Fish, `source $argv[2]; env`},
}

func TestTheEnvironmentThatChildrenSee(t *testing.T) {
	for name, p := range printers {
		if !look(t, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []Credentials{plain(), {AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}} {
				file := filepath.Join(t.TempDir(), "text")
				text, err := Render(p.format, c)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				checkEnvironment(t, execute(t, t.TempDir(), name, "-c", p.load, name, file), c)
			}
		})
	}
}

func checkEnvironment(t *testing.T, printed string, c Credentials) {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(printed) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			got[name] = value
		}
	}
	for _, v := range Variables(c) {
		value, there := got[v.Name]
		if there == v.Unset || value != v.Value {
			t.Errorf("%s is %q (there: %v), want %q (unset: %v)", v.Name, value, there, v.Value, v.Unset)
		}
	}
}

func TestNushell(t *testing.T) {
	if !look(t, "nu") {
		return
	}
	dir := playground(t)
	var script strings.Builder
	var want []string
	for _, value := range append(randomValues(60), hostile...) {
		if text, err := Render(Nushell, named(value)); err == nil {
			script.WriteString(text + "print -n $\"($env.CROSSROLE_PROFILE)\\u{0}\"\n")
			want = append(want, value)
		}
	}
	file := filepath.Join(t.TempDir(), "script.nu")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(execute(t, dir, "nu", "-n", file), "\x00")
	for i, value := range want {
		if got[min(i, len(got)-1)] != value {
			t.Errorf("nushell reads %q as %q", value, got[min(i, len(got)-1)])
		}
	}
	text, _ := Render(Nushell, plain())
	checkEnvironment(t, execute(t, dir, "nu", "-n", "-c", text+"\n^env"), plain())
	text, _ = Render(JSON, plain())
	load := "load-env (" + nushellQuote(text) + " | from json | get environment); ^env"
	checkEnvironment(t, execute(t, dir, "nu", "-n", "-c", load), plain())
}

// A universal variable of fish shows through when the global one is erased.
func TestFishUniversalVariable(t *testing.T) {
	if !look(t, "fish") {
		return
	}
	text, _ := Render(Fish, plain())
	cmd := exec.Command("fish", "-c", "set -e AWS_PROFILE; set -Ux AWS_PROFILE 'uni versal'\n"+text+"env")
	cmd.Env = environment(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	checkEnvironment(t, stdout.String(), plain())
	if !strings.Contains(stderr.String(), "set -Ux AWS_PROFILE 'uni versal'") {
		t.Errorf("stderr %q does not say how to bring the variable back", stderr.String())
	}
}

// A file of variables that a shell sources gives the values that the libraries
// read.
func TestDotenvSourced(t *testing.T) {
	if !look(t, "sh") {
		return
	}
	files, want := writeTexts(t, Dotenv, append(randomValues(100), hostile...))
	script := `for f do . "$f"; printf '%s\0' "$CROSSROLE_PROFILE"; done`
	got := strings.Split(execute(t, playground(t), "sh", append([]string{"-c", script, "sh"}, files...)...), "\x00")
	for i, value := range want {
		if got[min(i, len(got)-1)] != value {
			t.Errorf("sh reads %q as %q", value, got[min(i, len(got)-1)])
		}
	}
}
