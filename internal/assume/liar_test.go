package assume

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crossrole/internal/profile"
)

// answer is STS's document for AssumeRole with any session in it.
func answer(arn string, expires time.Time) string {
	return fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
		<AccessKeyId>ASIALIAR</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>
		<AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
		expires.UTC().Format(time.RFC3339), arn)
}

func liar(t *testing.T, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	t.Cleanup(server.Close)
	return server.URL
}

// A session that is over is never handed out, and one of another role is told.
func TestALyingServerIsNotBelieved(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		body, want string
	}{
		"the role":        {answer("arn:aws:sts::222222222222:assumed-role/Open/x", soon), ""},
		"no ARN":          {answer("", soon), ""},
		"another account": {answer("arn:aws:sts::999999999999:assumed-role/Open/x", soon), "gave a session of"},
		"another role":    {answer("arn:aws:sts::222222222222:assumed-role/Other/x", soon), "gave a session of"},
		"longer name":     {answer("arn:aws:sts::222222222222:assumed-role/OpenX/x", soon), "gave a session of"},
		"a user":          {answer("arn:aws:iam::222222222222:user/Open", soon), "gave a session of"},
		"ended":           {answer("arn:aws:sts::222222222222:assumed-role/Open/x", time.Now().Add(-time.Minute)), "ended at"},
	} {
		told := ""
		s, err := runAt(t, liar(t, c.body), chainTo(roleOpen), Overrides{}, Deps{Notice: func(text string) { told += text }})
		if err != nil {
			told = err.Error()
		}
		if (err == nil) == (c.want == "ended at") || (err == nil) != (s.AccessKeyID == "ASIALIAR") || !strings.Contains(told, c.want) || (told == "") != (c.want == "") {
			t.Errorf("%s: %v, told %q, %v", name, s, told, err)
		}
	}
}

// An answer without an end costs no more memory than the largest of AWS's.
func TestAnEndlessAnswerEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := []byte(strings.Repeat("<x/>", 64<<10))
		for range 1 << 10 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client, err := newHTTPClient(Where{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	late := lateClient{func() (*http.Client, error) { return client, nil }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := late.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read := 0
	buf := make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = res.Body.Read(buf)
		read += n
	}
	if read != maxAnswer || err.Error() != errTooLong.Error() {
		t.Errorf("%d bytes, then %v", read, err)
	}
}

// A redirect is no answer: whoever stands behind it would get the token.
func TestTokensAreNotTakenElsewhere(t *testing.T) {
	var got []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("Authorization")) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	env := map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "c4n4ry",
		"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/?a=b", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "c4n4ry",
	}
	deps := Deps{Getenv: func(name string) string { return env[name] }, Timeout: 5 * time.Second}
	if _, err := runAt(t, "", sourceOnly(profile.SourceContainer, nil), Overrides{}, deps); err == nil {
		t.Error("a redirect was taken for credentials")
	}
	github := sourceOnly(profile.SourceGitHub, nil)
	github.Source.Role = &profile.Hop{Profile: "src", RoleARN: at(roleOpen)}
	if _, err := runAt(t, server.URL, github, Overrides{}, deps); err == nil {
		t.Error("a redirect was taken for a token")
	}
	if len(got) > 0 {
		t.Errorf("the other server was asked, with %q", got)
	}
}
