//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// Here the real shells run what `crossrole init` prints, with crossrole itself
// and a local STS behind it. Those that are not installed are passed over;
// `make interop` demands them.

// haveShell tells whether a shell is installed.
func haveShell(t *testing.T, name string) bool {
	t.Helper()
	_, err := exec.LookPath(name)
	if err != nil && demandShells {
		t.Errorf("%s is not installed", name)
	} else if err != nil {
		t.Logf("%s is not installed", name)
	}
	return err == nil
}

// shellHome is a home with profiles, one of them with a hostile name.
func shellHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	for name, text := range map[string]string{
		".aws/credentials": "[A-san]\naws_access_key_id = " + localsts.ExampleKeyID + "\naws_secret_access_key = " + localsts.ExampleSecret + "\n",
		".aws/config": "[profile prod]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = A-san\nregion = eu-west-1\n" +
			"[profile other]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = A-san\nregion = us-west-2\n" +
			"[profile \"" + hostileProfile + "\"]\nrole_arn = arn:aws:iam::222222222222:role/Open\nsource_profile = A-san\n",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

const hostileProfile = "$(touch canary)';touch canary;'*%n %F{red}"

// runShell runs a script in a shell with crossrole on its PATH.
func runShell(t *testing.T, url, script string, shell []string, environ ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(shell[0], append(shell[1:], "-c", script)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(instruments(),
		"HOME="+shellHome(t), "PATH="+programs(t)+":"+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "AWS_ENDPOINT_URL_STS="+url, "HOSTILE="+hostileProfile)
	cmd.Env = append(cmd.Env, environ...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", shell, err, errs.String())
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "canary")); err == nil {
		t.Fatalf("%s ran a profile's name", shell)
	}
	return out.String(), errs.String()
}

// functionScripts do the same in every shell: "= NAME" begins a step, and a
// child's environment follows.
var functionScripts = []struct {
	shell  []string
	script string
}{
	{[]string{"bash", "--norc"}, `eval "$(crossrole init bash --prompt)"; see() { echo "= $1"; env; }
assume prod; see prod; assume other; see other; assume -; see back; assume nosuch && echo never; see failed
assume prod --dry-run >plan || echo never; assume --help >help; see dry; assume --role-arn 2>/dev/null && echo never
assume "$HOSTILE"; see hostile; assume --unset; see unset; assume --unset; see again; assume -; assume --unset; see last`},
	{[]string{"bash", "--norc", "-euo", "pipefail"}, `eval "$(crossrole init bash)"; see() { echo "= $1"; env; }
assume prod; see prod; assume other; see other; assume -; see back; (assume nosuch) || see failed
see dry; assume "$HOSTILE"; see hostile; assume --unset; see unset; assume --unset; see again; assume -; assume --unset; see last`},
	{[]string{"zsh", "-f"}, `eval "$(crossrole init zsh --prompt)"; see() { echo "= $1"; env; }
assume prod; see prod; assume other; see other; assume -; see back; assume nosuch && echo never; see failed
assume prod --dry-run >plan || echo never; assume --help >help; see dry; assume --role-arn 2>/dev/null && echo never
assume "$HOSTILE"; see hostile; assume --unset; see unset; assume --unset; see again; assume -; assume --unset; see last`},
	{[]string{"fish", "-N"}, `crossrole init fish --prompt | source; function see; echo "= $argv[1]"; env; end
assume prod; see prod; assume other; see other; assume -; see back; assume nosuch; and echo never; see failed
assume prod --dry-run >plan; or echo never; assume --help >help; see dry; assume --role-arn 2>&1; and echo never
assume "$HOSTILE"; see hostile; assume --unset; see unset; assume --unset; see again; assume -; assume --unset; see last`},
	{[]string{"nu", "-n"}, `source @init@
def see [step] { print $"= ($step)"; ^env }
assume prod; see prod; assume other; see other; assume -; see back; try { assume nosuch; print never }; see failed
assume prod --dry-run | save plan; see dry
assume $env.HOSTILE; see hostile; assume --unset; see unset; assume --unset; see again; assume -; assume --unset; see last`},
}

func TestTheFunctionAssume(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	before := []string{"AWS_PROFILE=old", "AWS_SECRET_ACCESS_KEY=canaryOfBefore", "AWS_DEFAULT_REGION="}
	for _, f := range functionScripts {
		if !haveShell(t, f.shell[0]) {
			continue
		}
		t.Run(strings.Join(f.shell, " "), func(t *testing.T) {
			t.Parallel()
			script := strings.ReplaceAll(f.script, "@init@", nushellInit(t))
			stdout, stderr := runShell(t, sts.URL, script, f.shell, before...)
			if strings.Contains(stdout, "never") {
				t.Errorf("a failure was no failure:\n%s", stdout)
			}
			if !strings.Contains(stderr, "nosuch") || strings.Contains(stderr, "canary") {
				t.Errorf("stderr is %q", stderr)
			}
			steps := environments(stdout)
			for step, want := range map[string][]string{
				"prod": {"CROSSROLE_PROFILE=prod", "AWS_REGION=eu-west-1"}, "other": {"CROSSROLE_PROFILE=other", "AWS_REGION=us-west-2"},
				"back": {"CROSSROLE_PROFILE=prod", "AWS_REGION=eu-west-1"}, "failed": {"CROSSROLE_PROFILE=prod", "AWS_REGION=eu-west-1"},
				"dry": {"CROSSROLE_PROFILE=prod"}, "hostile": {"CROSSROLE_PROFILE=" + hostileProfile},
			} {
				checkSession(t, step, steps[step], want)
			}
			for _, step := range []string{"unset", "again", "last"} {
				if got := awsOnly(steps[step]); !slices.Equal(got, slices.Sorted(slices.Values(before))) {
					t.Errorf("%s: the environment is %q, want %q", step, got, before)
				}
			}
		})
	}
}

// nushellInit is the file that a person saves and sources: nushell reads it
// before it runs anything.
func nushellInit(t *testing.T) string {
	t.Helper()
	text, err := initText("nushell", false, "crossrole")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "crossrole.nu")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func environments(printed string) map[string][]string {
	steps := map[string][]string{}
	step := ""
	for line := range strings.Lines(printed) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "= "); ok {
			step = name
		}
		steps[step] = append(steps[step], line)
	}
	return steps
}

func awsOnly(environ []string) []string {
	var lines []string
	for _, line := range environ {
		ours := strings.HasPrefix(line, "AWS_") || strings.HasPrefix(line, "CROSSROLE_")
		if ours && !strings.HasPrefix(line, "AWS_ENDPOINT_URL_STS=") {
			lines = append(lines, line)
		}
	}
	return slices.Sorted(slices.Values(lines))
}

func checkSession(t *testing.T, step string, environ, want []string) {
	t.Helper()
	has := func(prefix string) bool {
		return slices.ContainsFunc(environ, func(line string) bool { return strings.HasPrefix(line, prefix) })
	}
	for _, line := range append(want, "AWS_ACCESS_KEY_ID=ASIA", "AWS_SESSION_TOKEN=", "AWS_CREDENTIAL_EXPIRATION=2") {
		if !has(line) {
			t.Errorf("%s: no %s in %q", step, line, awsOnly(environ))
		}
	}
	if has("AWS_PROFILE=") || has("CROSSROLE_WAS") || slices.ContainsFunc(environ, func(line string) bool { return strings.Contains(line, "canaryOfBefore") }) {
		t.Errorf("%s: a child sees what was before: %q", step, awsOnly(environ))
	}
}

// The same without the function, as it stands in the README.
func TestPlainEvalAndUnset(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	for _, shell := range [][]string{{"sh"}, {"bash"}, {"dash"}, {"zsh", "-f"}, {"ksh"}} {
		if !haveShell(t, shell[0]) {
			continue
		}
		stdout, _ := runShell(t, sts.URL, `see() { echo "= $1"; env; }
eval $(crossrole assume prod); see prod; eval $(crossrole assume other); see other; eval $(crossrole unset); see unset`, shell, "AWS_PROFILE=old")
		steps := environments(stdout)
		checkSession(t, "prod", steps["prod"], []string{"CROSSROLE_PROFILE=prod", "AWS_REGION=eu-west-1"})
		checkSession(t, "other", steps["other"], []string{"CROSSROLE_PROFILE=other", "AWS_REGION=us-west-2"})
		if got := awsOnly(steps["unset"]); !slices.Equal(got, []string{"AWS_PROFILE=old"}) {
			t.Errorf("%s: after unset the environment is %q", shell, got)
		}
	}
}

// completions ask a shell for what TAB would show after the typed line.
var completions = []struct {
	shell  []string
	script string
}{
	{[]string{"bash", "--norc"}, `eval "$(crossrole init bash)"; COMP_LINE='assume pr'; COMP_POINT=9; COMP_TYPE=63; __crossrole_complete; printf '%s\n' "${COMPREPLY[@]}"
COMP_LINE='assume '; COMP_POINT=7; COMP_TYPE=9; __crossrole_complete; printf '%s\n' "${COMPREPLY[@]}"`},
	{[]string{"fish", "-N"}, `crossrole init fish | source; complete -C 'assume pr'; complete -C 'assume '`},
	{[]string{"zsh", "-f"}, `_describe() { print -l -- "${(@P)4}"; }; eval "$(crossrole init zsh)"; words=(assume pr) CURRENT=2; __crossrole_complete; words=(assume "") CURRENT=2; __crossrole_complete`},
	{[]string{"nu", "-n"}, "source @init@\n" + `nu-complete crossrole assume "assume pr" | each {|c| print $"($c.value) ($c.description)"}
nu-complete crossrole assume "assume " | each {|c| print $"($c.value) ($c.description)"}; null`},
}

func TestCompletionOfTheFunction(t *testing.T) {
	for _, c := range completions {
		if !haveShell(t, c.shell[0]) {
			continue
		}
		script := strings.ReplaceAll(c.script, "@init@", nushellInit(t))
		stdout, stderr := runShell(t, "http://127.0.0.1:1", script, c.shell)
		if !strings.Contains(stdout, "prod") || !strings.Contains(stdout, "222222222222 Open") || !strings.Contains(stdout, "other") || stderr != "" {
			t.Errorf("%s completes %q, stderr %q", c.shell, stdout, stderr)
		}
	}
}

// prompts show what the prompt would be, three times: without a session, with
// one of 61 minutes, with one of nine.
var prompts = []struct {
	shell  []string
	script string
}{
	{[]string{"bash", "--norc"}, `eval "$(crossrole init bash --prompt)"; PATH=/nowhere; show() { __crossrole_prompt; echo "[$__crossrole_left|$__crossrole_soon]"; }
show; CROSSROLE_PROFILE=prod AWS_CREDENTIAL_EXPIRATION=$LATER; show; AWS_CREDENTIAL_EXPIRATION=$SOON; show; AWS_CREDENTIAL_EXPIRATION=$PAST; show; CROSSROLE_PROFILE=$HOSTILE AWS_CREDENTIAL_EXPIRATION=; show; PS1=${PS1@P}; echo "$PS1"`},
	{[]string{"zsh", "-f"}, `eval "$(crossrole init zsh --prompt)"; PATH=/nowhere; show() { __crossrole_prompt; echo "[$psvar[91]|$psvar[92]]"; }
show; CROSSROLE_PROFILE=prod AWS_CREDENTIAL_EXPIRATION=$LATER; show; AWS_CREDENTIAL_EXPIRATION=$SOON; show; AWS_CREDENTIAL_EXPIRATION=$PAST; show; CROSSROLE_PROFILE=$HOSTILE AWS_CREDENTIAL_EXPIRATION=; show; print -P "$PROMPT"`},
	{[]string{"fish", "-N"}, `function fish_prompt; echo -n '> '; end; crossrole init fish --prompt | source; set PATH /nowhere; function show; __crossrole_prompt; echo "[$__crossrole_left|$__crossrole_soon]"; end
show; set -gx CROSSROLE_PROFILE prod; set -gx AWS_CREDENTIAL_EXPIRATION $LATER; show; set AWS_CREDENTIAL_EXPIRATION $SOON; show; set AWS_CREDENTIAL_EXPIRATION $PAST; show; set CROSSROLE_PROFILE $HOSTILE; set AWS_CREDENTIAL_EXPIRATION; show; fish_prompt`},
}

func TestThePrompt(t *testing.T) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05Z") }
	for _, p := range prompts {
		if !haveShell(t, p.shell[0]) {
			continue
		}
		// PATH is empty while the prompt is made: a program would be an error.
		stdout, stderr := runShell(t, "", p.script, p.shell, "LATER="+in(61*time.Minute+40*time.Second), "SOON="+in(9*time.Minute+50*time.Second), "PAST="+in(-time.Minute))
		want := "[|]\n[(prod 1h1m) |]\n[|(prod 9m!) ]\n[|(prod expired!) ]\n[(" + hostileProfile + ") |]\n"
		if !strings.HasPrefix(stdout, want) || !strings.Contains(stdout[len(want):], hostileProfile) || stderr != "" {
			t.Errorf("%s shows\n%s\nwant\n%s\nstderr %q", p.shell, stdout, want, stderr)
		}
	}
}
