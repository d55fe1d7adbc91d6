//go:build unix

package main

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"crossrole/internal/localsts"
)

// Whatever a command does, and whatever goes wrong, no secret is in what it
// says: --debug, errors, hints, and the answers of broken servers included.
func TestNothingSecretIsSaid(t *testing.T) {
	const poison = "c4n4ry-of-a-broken-server"
	broken := `<AssumeRoleResponse><AssumeRoleResult><Credentials><SecretAccessKey>` + poison + `</SecretAccessKey><SessionToken>` + poison + `</SessionToken>`
	faults := map[string]localsts.Hook{
		"none":         nil,
		"half answer":  localsts.On("AssumeRole", localsts.Garbage(http.StatusOK, broken)),
		"odd error":    localsts.On("AssumeRole", localsts.Garbage(http.StatusBadRequest, broken)),
		"not XML":      localsts.On("AssumeRole", localsts.Garbage(http.StatusOK, `{"SecretAccessKey": "`+poison+`"}`)),
		"broken off":   localsts.On("AssumeRole", localsts.Cut()),
		"dropped":      localsts.On("AssumeRole", localsts.Drop()),
		"unauthorized": localsts.Fail(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."),
	}
	for name, hook := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setStage(t, localsts.Options{Hook: hook})
			s.federation.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Error(w, poison+r.URL.RawQuery, http.StatusInternalServerError)
			})
			for _, args := range [][]string{
				{"exec", "open", "--", "true"},
				{"exec", "chained", "--serve", "--", "true"},
				{"exec", "mfa", "--", "true"},
				{"exec", "mfa", "--mfa-code", "000000", "--", "true"},
				{"whoami", "open"},
				{"whoami", "me", "--format", "json"},
				{"console", "open", "--print"},
				{"console", "open", "--open"},
				{"console", "me"},
			} {
				said := everything(t, s, append(args[:1:1], append([]string{"--debug", "--timeout", "500ms"}, args[1:]...)...))
				if said == "" || s.leak(said) || strings.Contains(said, poison) || strings.Contains(said, "goroutine ") {
					t.Errorf("%v said:\n%s", args, said)
				}
			}
		})
	}
}

// everything that a command writes, on both streams, without a terminal.
func everything(t *testing.T, s *stage, args []string) string {
	t.Helper()
	env, err := s.environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("crossrole", args...)
	cmd.Env = append(env, "CROSSROLE_CACHE=off", "PATH="+t.TempDir()+":/bin:/usr/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = out, out
	if path, err := exec.LookPath("crossrole"); err == nil {
		cmd.Path = path
	}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String()
}

// Nor is it in what a crash prints.
func TestACrashTellsNoSecret(t *testing.T) {
	s := setStage(t, localsts.Options{})
	p := launch(t, s, "serve", "open", "--debug")
	c := readClient(t, p)
	if a, err := fetch(c.uri, c.token, ""); err != nil || a.status != http.StatusOK {
		t.Fatal(a.status, err)
	}
	if err := p.Process.Signal(syscall.SIGQUIT); err != nil { // Go prints every stack
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(p.out)
	_ = p.exit(t)
	if said := p.stderr.String() + string(rest); !strings.Contains(said, "goroutine ") || s.leak(said) || strings.Contains(said, c.token) {
		t.Errorf("crash output, %d characters, holds a secret or is none", len(said))
	}
}
