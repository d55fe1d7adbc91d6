//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// resolution is how a reader resolves a profile, in the terms of the calls that would be made.
type resolution struct {
	Source string // the access key id that the first call is signed with
	Calls  []hop
	Region string
	Error  string
}

// hop is one AssumeRole. Empty fields were not sent.
type hop struct {
	RoleArn, ExternalID, Duration, Serial, SessionName string
}

// question is one profile of one pair of files.
type question struct {
	Config      string `json:"config"`
	Credentials string `json:"credentials"`
	Profile     string `json:"profile"`
	files       awsFiles
}

// questions writes the generated files and lists what is asked of them.
func questions(t *testing.T, pairs int) []question {
	t.Helper()
	dir := t.TempDir()
	var asked []question
	for seed := range pairs {
		files := generate(uint64(seed))
		config := filepath.Join(dir, fmt.Sprintf("%d.config", seed))
		credentials := filepath.Join(dir, fmt.Sprintf("%d.credentials", seed))
		for name, text := range map[string]string{config: files.config, credentials: files.credentials} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, profile := range files.profiles {
			asked = append(asked, question{config, credentials, profile, files})
		}
	}
	return asked
}

// askBotocore resolves all of them with the AWS CLI's own library.
func askBotocore(t *testing.T, asked []question) []resolution {
	t.Helper()
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tools.python, "testdata/boto_resolve.py")
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true", "LANG=C.UTF-8",
		"AWS_ACCESS_KEY_ID=KEY-env", "AWS_SECRET_ACCESS_KEY=secret",
	}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var answers []struct {
		Error, Source, Region string
		Calls                 []map[string]any
	}
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatal(err)
	}
	text := func(parameters map[string]any, key string) string {
		if value, ok := parameters[key]; ok {
			return fmt.Sprint(value)
		}
		return ""
	}
	resolved := make([]resolution, len(answers))
	for i, a := range answers {
		resolved[i] = resolution{Source: a.Source, Region: a.Region, Error: a.Error}
		for _, c := range a.Calls {
			h := hop{text(c, "RoleArn"), text(c, "ExternalId"), text(c, "DurationSeconds"), text(c, "SerialNumber"), text(c, "RoleSessionName")}
			if strings.HasPrefix(h.SessionName, "botocore-session-") {
				h.SessionName = "" // its own default
			}
			resolved[i].Calls = append(resolved[i].Calls, h)
		}
	}
	return resolved
}

// recordingSTS answers every call with a key that leads back to it, so that the chain of calls can be read off.
type recordingSTS struct {
	mu    sync.Mutex
	calls []recorded
}

type recorded struct {
	action, signedWith, region string
	hop                        hop
}

func (s *recordingSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/") // KEY/DATE/REGION/sts/aws4_request; a key may hold slashes
	call := recorded{action: r.Form.Get("Action"), hop: hop{
		r.Form.Get("RoleArn"), r.Form.Get("ExternalId"), r.Form.Get("DurationSeconds"), r.Form.Get("SerialNumber"), r.Form.Get("RoleSessionName"),
	}}
	for i, part := range parts {
		if i > 1 && part == "sts" {
			call.signedWith, call.region = strings.Join(parts[:i-2], "/"), parts[i-1]
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	n := len(s.calls) - 1
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>
<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:s</AssumedRoleId><Arn>arn:aws:sts::222222222222:assumed-role/r/s</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>CALL%[2]d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials>
</%[1]sResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%[1]sResponse>`,
		call.action, n, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// chain follows the session with the given key back to what signed its first call.
func (s *recordingSTS) chain(key string) resolution {
	var r resolution
	for {
		var n int
		if _, err := fmt.Sscanf(key, "CALL%d", &n); err != nil || n >= len(s.calls) {
			r.Source = key
			return r
		}
		call := s.calls[n]
		if call.action == "AssumeRole" {
			r.Calls = append([]hop{call.hop}, r.Calls...)
		}
		r.Region, key = call.region, call.signedWith
	}
}

// askCrossrole lets the built program make the calls.
func askCrossrole(t *testing.T, q question, withCode bool) (made resolution) {
	t.Helper()
	sts := &recordingSTS{}
	server := httptest.NewServer(sts)
	defer server.Close()
	w := newWorld(t, "", "").set(
		"AWS_CONFIG_FILE", q.Config, "AWS_SHARED_CREDENTIALS_FILE", q.Credentials, "AWS_ENDPOINT_URL_STS", server.URL,
		"AWS_ACCESS_KEY_ID", "KEY-env", "AWS_SECRET_ACCESS_KEY", "secret",
	)
	args := []string{"assume", q.Profile, "--format", "process", "--no-input"}
	if withCode {
		args = append(args, "--mfa-code", "123456")
	}
	got := w.run(tools.crossrole, args...)
	var printed struct{ AccessKeyId string }
	switch {
	case got.code != 0 && got.stdout != "":
		t.Errorf("exit %d with stdout %q", got.code, got.stdout)
		fallthrough
	case got.code != 0:
		made = resolution{Error: fmt.Sprintf("exit %d: %s", got.code, got.stderr)}
	case json.Unmarshal([]byte(got.stdout), &printed) != nil:
		t.Errorf("not JSON: %q", got.stdout)
	default:
		made = sts.chain(printed.AccessKeyId)
	}
	return made
}

// TestNeverAnotherRoleThanTheAWSCLI generates AWS files and compares, profile by profile, the calls that the AWS CLI's
// library would make with those that crossrole makes. Where both answer they must agree in everything that
// decides who is assumed by whom. crossrole may stop where the AWS CLI goes on, but seldom, and with exit code 3.
func TestNeverAnotherRoleThanTheAWSCLI(t *testing.T) {
	asked := questions(t, 80)
	expected := askBotocore(t, asked)
	var mu sync.Mutex
	agreed, stopped := 0, 0
	t.Run("profiles", func(t *testing.T) {
		for i, q := range asked {
			t.Run(fmt.Sprintf("%s:%s", strings.TrimSuffix(filepath.Base(q.Config), ".config"), q.Profile), func(t *testing.T) {
				t.Parallel()
				want := expected[i]
				withCode := slices.ContainsFunc(want.Calls, func(h hop) bool { return h.Serial != "" })
				made := askCrossrole(t, q, withCode)
				fault := compare(q, want, made)
				if fault != "" {
					t.Errorf("%s\nAWS CLI: %+v\nassume:  %+v\n%s\n--- credentials\n%s", fault, want, made, q.files.config, q.files.credentials)
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case want.Error == "" && made.Error != "" && !strings.HasPrefix(want.Source, "SOURCE-"):
					stopped++
					t.Logf("stopped where the AWS CLI goes on: %s", made.Error)
				case want.Error == "" && made.Error == "" && len(want.Calls) > 0:
					agreed++
				}
			})
		}
	})
	t.Logf("%d profiles: the same calls for %d roles, stopped for %d", len(asked), agreed, stopped)
	if agreed < len(asked)/5 || stopped*6 > agreed {
		t.Errorf("too few answers to mean anything: %d the same, %d stopped", agreed, stopped)
	}
}

// compare says what is wrong, or "".
func compare(q question, want, made resolution) string {
	switch {
	case want.Error != "" && made.Error == "" && len(made.Calls) > 0 && !q.files.readersDiffer:
		return "crossrole answers where the AWS CLI refuses"
	case made.Error != "" && strings.HasPrefix(made.Error, "exit 1: crossrole: getting source credentials (e"):
		return "" // this is neither an instance nor a container
	case strings.HasPrefix(made.Error, "exit 5") && want.Error != "":
		return "" // a code would have been asked for
	case made.Error != "" && !strings.HasPrefix(made.Error, "exit 3"):
		return "not a configuration error"
	case want.Error != "" || made.Error != "" || len(want.Calls) == 0:
		return ""
	case made.Source != want.Source:
		return "another source"
	case len(made.Calls) != len(want.Calls):
		return "another number of hops"
	}
	for i, w := range want.Calls {
		m := made.Calls[i]
		if w.SessionName == "" {
			m.SessionName = "" // each has its own default
		}
		m.Serial = w.Serial // one code may buy one session for all hops; show tells of each
		if m.Duration != w.Duration && (i > 0 && m.Duration == "3600" || w.Duration == "") {
			m.Duration = w.Duration // the cap of a chained hop; our default
		}
		if m != w {
			return fmt.Sprintf("hop %d: something else is sent", i)
		}
	}
	if want.Region != "" && made.Region != want.Region {
		return "another region"
	}
	return ""
}
