//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
)

// shellForms are the ways in which people let a shell run what crossrole prints. Each ends by printing the shell's
// exported variables, NUL between them. $FORMAT and $NAME come from the environment.
var shellForms = []struct {
	name   string
	format string
	argv   []string
}{
	{"bash quoted", "env", []string{"bash", "-c", `eval "$(crossrole assume "$NAME")"; env -0`}},
	{"bash unquoted", "env", []string{"bash", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"bash strict", "env", []string{"bash", "-euo", "pipefail", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"bash posix", "env", []string{"bash", "--posix", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"bash nullglob", "env", []string{"bash", "-O", "nullglob", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"bash source", "env", []string{"bash", "-c", `source <(crossrole assume "$NAME"); env -0`}},
	{"bash not exported", "env-no-export", []string{"bash", "-c", `set -a; eval "$(crossrole assume "$NAME" --format env-no-export)"; env -0`}},
	{"bash not exported unquoted", "env-no-export", []string{"bash", "-c", `set -a; eval $(crossrole assume "$NAME" --format env-no-export); env -0`}},
	{"dash quoted", "env", []string{"dash", "-c", `eval "$(crossrole assume "$NAME")"; env -0`}},
	{"dash unquoted", "env", []string{"dash", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"ksh quoted", "env", []string{"ksh", "-c", `eval "$(crossrole assume "$NAME")"; env -0`}},
	{"ksh unquoted", "env", []string{"ksh", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"zsh quoted", "env", []string{"zsh", "-f", "-c", `eval "$(crossrole assume "$NAME")"; env -0`}},
	{"zsh unquoted", "env", []string{"zsh", "-f", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"zsh splitting and globbing", "env", []string{"zsh", "-f", "-o", "shwordsplit", "-o", "globsubst", "-c", `eval $(crossrole assume "$NAME"); env -0`}},
	{"fish source", "fish", []string{"fish", "--no-config", "-c", `crossrole assume $NAME --format fish | source; env -0`}},
	{"fish eval", "fish", []string{"fish", "--no-config", "-c", `eval (crossrole assume $NAME --format fish); env -0`}},
	{"fish collected", "fish", []string{"fish", "--no-config", "-c", `eval (crossrole assume $NAME --format fish | string collect); env -0`}},
	{"nu code", "nushell", []string{"bash", "-c", `nu --no-config-file -c "$(crossrole assume "$NAME" --format nushell)"$'\n''^env -0'`}},
	{"nu source", "nushell", []string{"bash", "-c", `crossrole assume "$NAME" --format nushell > $TMPDIR/x.nu; nu --no-config-file -c "source $TMPDIR/x.nu; ^env -0"`}},
	{"nu json", "json", []string{"nu", "--no-config-file", "-c", `crossrole assume $env.NAME --format json | from json | get environment | load-env; ^env -0`}},
}

// hostile are texts that a shell might run, split, expand or lose.
var hostile = map[string]string{
	"as AWS makes them":  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY==",
	"quotes":             `a'b"c'"'"'d`,
	"only a quote":       `'`,
	"command":            `$(touch pwned)`,
	"old command":        "`touch pwned`",
	"quote and command":  `'$(touch pwned)'`,
	"double and command": `"$(touch pwned)"`,
	"separators":         `;touch pwned;&touch pwned|touch pwned`,
	"quote, separators":  `';touch pwned;'`,
	"variable":           `$HOME ${HOME} $$ $1`,
	"star":               `*`,
	"stars":              `a*b?c[a-z]`,
	"quote and star":     `'*`,
	"blanks":             `  two  blanks  `,
	"tab":                "a\tb\t",
	"newline":            "a\ntouch pwned\n",
	"newline and quote":  "a'\ntouch pwned\n'",
	"carriage return":    "a\r\nb\r",
	"backslashes":        `a\b\\c\'d\n\`,
	"comment":            `#a #b`,
	"tilde":              `~ ~root`,
	"history":            `!! !a ^a^b`,
	"braces":             `{a,b} {1..3}`,
	"equals":             `=ls a=b`,
	"percent":            `%PATH% %s %d`,
	"caret":              `^&calc`,
	"redirection":        `>pwned <x 2>&1`,
	"unicode":            "日本語 é \u00a0 \u2028",
	"option":             `-n -e --`,
	"fish":               `(touch pwned) $HOME[1] \x41 \u0041`,
	"dollar quote":       `$'\x41' $"a"`,
}

const roleConfig = `[profile user]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
region = eu-west-3

[profile NAME]
role_arn = arn:aws:iam::222222222222:role/deploy
source_profile = user
`

// shellWorld is a world whose current folder is full of names that a careless expansion would pick up.
func shellWorld(t *testing.T, config string) *world {
	t.Helper()
	w := newWorld(t, config, "").set(
		"AWS_PROFILE", "stale", "AWS_DEFAULT_PROFILE", "stale", "AWS_SESSION_TOKEN", "stale", "AWS_SECURITY_TOKEN", "stale",
	)
	for _, bait := range []string{
		"a", "b", "export", "=", "a1b2ca", "'x;touch pwned;'", "AWS_SECRET_ACCESS_KEY='x';touch pwned;'",
		"AWS_SECRET_ACCESS_KEY=x;touch pwned", "AWS_SECRET_ACCESS_KEY='x;touch pwned;'",
	} {
		if err := os.WriteFile(filepath.Join(w.cwd, bait), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) notPwned() {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(w.cwd, "pwned")); err == nil {
		w.t.Error("a value ran as a command")
	}
}

// TestShellsTakeEveryValue lets each real shell evaluate hostile credentials and compares what it exports.
func TestShellsTakeEveryValue(t *testing.T) {
	for label, text := range hostile {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			want := credentials{"ASIA" + text, text, "token" + text + "end"}
			endpoint := answeringSTS(t, want)
			for _, form := range shellForms {
				w := shellWorld(t, strings.ReplaceAll(roleConfig, "NAME", "work")).set("AWS_ENDPOINT_URL_STS", endpoint, "NAME", "work")
				got := w.run(form.argv[0], form.argv[1:]...)
				if got.code != 0 {
					t.Errorf("%s: exit %d: %s", form.name, got.code, got.stderr)
					continue
				}
				env := environment(got.stdout)
				for key, value := range map[string]string{
					"AWS_ACCESS_KEY_ID":     want.key,
					"AWS_SECRET_ACCESS_KEY": want.secret,
					"AWS_SESSION_TOKEN":     want.token,
					"AWS_REGION":            "eu-west-3",
					"CROSSROLE_PROFILE":     "work",
				} {
					if env[key] != value {
						t.Errorf("%s: %s = %q, want %q", form.name, key, env[key], value)
					}
				}
				for _, key := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
					if value, ok := env[key]; ok {
						t.Errorf("%s: %s is still there: %q", form.name, key, value)
					}
				}
				if _, err := time.Parse(time.RFC3339, env["AWS_CREDENTIAL_EXPIRATION"]); err != nil {
					t.Errorf("%s: expiry: %v", form.name, err)
				}
				w.notPwned()
			}
		})
	}
}

// TestShellsTakeEveryProfileName: names that the AWS CLI reads from a file reach CROSSROLE_PROFILE as they are.
func TestShellsTakeEveryProfileName(t *testing.T) {
	for header, name := range map[string]string{
		`"A B"`:                  `A B`,
		`"; touch pwned; "`:      `; touch pwned; `,
		`team/prod@eu+1:x%y.z`:   `team/prod@eu+1:x%y.z`,
		`日本語`:                    `日本語`,
		`"a  b|touch pwned&# c"`: `a  b|touch pwned&# c`,
		`"$(touch pwned)"`:       `$(touch pwned)`,
		"\"`touch pwned`\"":      "`touch pwned`",
		`"* ? {a,b}"`:            `* ? {a,b}`,
	} {
		t.Run(strings.Map(wordOnly, name), func(t *testing.T) {
			t.Parallel()
			endpoint := answeringSTS(t, credentials{"ASIAEXAMPLE", "secret", "token"})
			for _, form := range shellForms {
				w := shellWorld(t, strings.ReplaceAll(roleConfig, "NAME", header)).set("AWS_ENDPOINT_URL_STS", endpoint, "NAME", name)
				got := w.mustRun(form.argv[0], form.argv[1:]...)
				if env := environment(got.stdout); env["CROSSROLE_PROFILE"] != name || env["AWS_SECRET_ACCESS_KEY"] != "secret" {
					t.Errorf("%s: CROSSROLE_PROFILE = %q, want %q (secret %q) %s", form.name, env["CROSSROLE_PROFILE"], name, env["AWS_SECRET_ACCESS_KEY"], got.stderr)
				}
				w.notPwned()
			}
		})
	}
}

// wordOnly keeps a hostile name out of the names of folders.
func wordOnly(r rune) rune {
	if unicode.IsLetter(r) {
		return r
	}
	return '_'
}

// TestShellsChangeNothingOnFailure: what was in the shell stays, and the failure says so on stderr only.
func TestShellsChangeNothingOnFailure(t *testing.T) {
	for _, form := range shellForms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			w := shellWorld(t, roleConfig).set("NAME", "missing", "AWS_ACCESS_KEY_ID", "mine")
			got := w.run(form.argv[0], form.argv[1:]...)
			stops := form.name == "nu json" // the others evaluate nothing, which is no error
			if (got.code != 0) != stops {
				t.Fatalf("exit %d: %s", got.code, got.stderr)
			}
			if env := environment(got.stdout); got.code == 0 && (env["AWS_ACCESS_KEY_ID"] != "mine" || env["AWS_PROFILE"] != "stale") {
				t.Errorf("the shell's variables changed: %q %q", env["AWS_ACCESS_KEY_ID"], env["AWS_PROFILE"])
			}
			if !strings.Contains(got.stderr, "missing") {
				t.Errorf("stderr does not name the profile: %q", got.stderr)
			}
			printed := w.run(tools.crossrole, "assume", "missing", "--format", form.format)
			if printed.stdout != "" || printed.code != 3 {
				t.Errorf("stdout %q, exit %d; want nothing and 3", printed.stdout, printed.code)
			}
		})
	}
}

// dotenvReaders read a file of variables as their users do, and print what they have in the end.
var dotenvReaders = map[string][]string{
	"bash": {"bash", "-c", `set -a; . ./.env; env -0`},
	"node": {"node", "--env-file=.env", "-e", `process.stdout.write(Object.entries(process.env).map(([k, v]) => k + "=" + v).join("\0"))`},
}

// TestDotenvReadersAgree: what can be written into a dotenv file reaches its readers unchanged; what can't is refused,
// with nothing printed.
func TestDotenvReadersAgree(t *testing.T) {
	written := 0
	for label, text := range hostile {
		t.Run(label, func(t *testing.T) {
			w := shellWorld(t, strings.ReplaceAll(roleConfig, "NAME", "work"))
			for _, key := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"} {
				delete(w.env, key) // a file of variables can't take one away
			}
			w.set("AWS_ENDPOINT_URL_STS", answeringSTS(t, credentials{"ASIAEXAMPLE", text, "token"}))
			got := w.run(tools.crossrole, "assume", "work", "--format", "dotenv")
			if got.code != 0 {
				if got.stdout != "" {
					t.Errorf("exit %d with stdout %q", got.code, got.stdout)
				}
				return
			}
			written++
			w.write("cwd/.env", got.stdout)
			for reader, argv := range dotenvReaders {
				env := environment(w.mustRun(argv[0], argv[1:]...).stdout)
				if env["AWS_SECRET_ACCESS_KEY"] != text || env["AWS_SESSION_TOKEN"] != "token" || env["CROSSROLE_PROFILE"] != "work" {
					t.Errorf("%s reads %q, want %q", reader, env["AWS_SECRET_ACCESS_KEY"], text)
				}
			}
			w.notPwned()
		})
	}
	if written < len(hostile)/3 {
		t.Errorf("only %d of %d values could be written", written, len(hostile))
	}
}
