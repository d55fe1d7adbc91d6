package iamread

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
	"crossrole/internal/policy"
)

// served is a client of a handler.
func served(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	at := Endpoint{server.URL, "us-east-1"}
	return &Client{HTTP: server.Client(), Credentials: Credentials{"AKIAEXAMPLE", "secret", ""}, IAM: at, Organizations: at}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// world is a client of the local STS with a user whose policies, groups and tags fill several pages.
func world(t *testing.T, rights string, opts localsts.Options) (*Client, *localsts.TestServer) {
	t.Helper()
	var inline, groups, groupList []string
	for i := range 130 {
		inline = append(inline, fmt.Sprintf(`{"PolicyName":"P%03d","PolicyDocument":{"Version":"2012-10-17","Statement":[]}}`, i))
	}
	for i := range 3 {
		groupList = append(groupList, fmt.Sprintf(`"G%d"`, i))
		groups = append(groups, fmt.Sprintf(`{"GroupName":"G%d","GroupPolicyList":[{"PolicyName":"Inline","PolicyDocument":{"Version":"2012-10-17","Statement":[]}}],
		  "AttachedManagedPolicies":[{"PolicyName":"M","PolicyArn":"arn:aws:iam::111111111111:policy/M"}]}`, i))
	}
	account, err := localsts.LoadAccount(strings.NewReader(`{"AccountId":"111111111111","UserDetailList":[
	 {"UserName":"Reader","UserPolicyList":[{"PolicyName":"R","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":`+rights+`,"Resource":"*"}]}}],
	  "AccessKeys":[{"AccessKeyId":"AKIAEXAMPLE0READER01","SecretAccessKey":"secret-of-Reader"}]},
	 {"UserName":"Many","Path":"/x/","UserPolicyList":[`+strings.Join(inline, ",")+`],"GroupList":[`+strings.Join(groupList, ",")+`],
	  "PermissionsBoundary":{"PermissionsBoundaryType":"Policy","PermissionsBoundaryArn":"arn:aws:iam::111111111111:policy/M"},"Tags":[{"Key":"team","Value":"a"}]}],
	 "GroupDetailList":[`+strings.Join(groups, ",")+`],
	 "RoleDetailList":[{"RoleName":"R","Path":"/app/","MaxSessionDuration":7200,"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]},
	  "AttachedManagedPolicies":[{"PolicyName":"M","PolicyArn":"arn:aws:iam::111111111111:policy/M"}]}],
	 "Policies":[{"PolicyName":"M","Arn":"arn:aws:iam::111111111111:policy/M","DefaultVersionId":"v2","PolicyVersionList":[
	  {"VersionId":"v1","IsDefaultVersion":false,"Document":{"Version":"2012-10-17","Statement":[]}},
	  {"VersionId":"v2","IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}}]}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	sts := localsts.StartTest(t, opts, account)
	at := Endpoint{sts.URL, "us-east-1"}
	return &Client{HTTP: http.DefaultClient, Credentials: Credentials{"AKIAEXAMPLE0READER01", "secret-of-Reader", ""}, IAM: at, Organizations: at}, sts
}

const manyARN = "arn:aws:iam::111111111111:user/x/Many"

// The single reads and the account's details must tell the same.
func TestBothWaysOfReading(t *testing.T) {
	for name, rights := range map[string]string{
		"single reads": `["iam:Get*","iam:List*"]`, "details": `"iam:GetAccountAuthorizationDetails"`,
		"some single reads are denied": `["iam:GetUser","iam:GetRole","iam:GetAccountAuthorizationDetails"]`,
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := world(t, rights, localsts.Options{})
			got, unread, err := c.Caller(t.Context(), policy.Caller{ARN: manyARN})
			if err != nil || len(unread) > 0 {
				t.Fatal(err, unread)
			}
			if len(got.Identity) != 130+3*2 || got.Boundary == nil || len(got.Tags) != 1 || got.Caller.ARN != manyARN || !strings.HasPrefix(got.Caller.UniqueID, "AIDA") {
				t.Errorf("%d policies, boundary %v, tags %v, %+v", len(got.Identity), got.Boundary, got.Tags, got.Caller)
			}
			if text := got.Boundary.Indented(); !strings.Contains(text, "s3:*") {
				t.Errorf("the boundary is not the version in force: %s", text)
			}
			role, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R")
			if err != nil || role.ARN != "arn:aws:iam::111111111111:role/app/R" || role.Trust == nil {
				t.Errorf("%+v, %v", role, err)
			}
			session := policy.Caller{ARN: "arn:aws:sts::111111111111:assumed-role/R/alice"}
			found, _, err := c.Caller(t.Context(), session)
			if err != nil || found.Caller.ARN != session.ARN || found.Caller.PrincipalARN != role.ARN || len(found.Identity) != 1 {
				t.Errorf("%+v, %v", found, err)
			}
			if _, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/None"); !noSuchRole(err) {
				t.Errorf("a role that is not there: %v", err)
			}
		})
	}
}

// noSuchRole is how whoever reads a role finds out that there is none.
func noSuchRole(err error) bool {
	var e interface{ NoSuchEntity() bool }
	return errors.As(err, &e) && e.NoSuchEntity()
}

func TestPartsThatAreDeniedAreNamed(t *testing.T) {
	c, _ := world(t, `["iam:GetUser","iam:ListUserPolicies","iam:GetUserPolicy"]`, localsts.Options{})
	got, unread, err := c.Caller(t.Context(), policy.Caller{ARN: manyARN})
	if err != nil || len(got.Identity) != 130 {
		t.Fatal(got, err)
	}
	all := strings.Join(unread, "\n")
	for _, want := range []string{"policy arn:aws:iam::111111111111:policy/M", "the managed policies of user Many", "the groups of user Many", "AccessDenied"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
}

func TestNothingMayBeRead(t *testing.T) {
	c, _ := world(t, `"s3:*"`, localsts.Options{})
	var api *APIError
	if _, _, err := c.Caller(t.Context(), policy.Caller{ARN: manyARN}); !errors.As(err, &api) || !api.Denied() {
		t.Errorf("caller: %v", err)
	}
	if _, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R"); !errors.As(err, &api) || !api.Denied() {
		t.Errorf("role: %v", err)
	}
	c.Credentials.SecretAccessKey = "wrong"
	if _, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R"); !hasCode(err, "SignatureDoesNotMatch") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong secret: %v", err)
	}
}

// A clock that is off is corrected by AWS's own, once.
func TestSkew(t *testing.T) {
	c, sts := world(t, `"iam:GetRole"`, localsts.Options{})
	c.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	for range 3 {
		if _, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R"); err != nil {
			t.Fatal(err)
		}
	}
	if n := sts.Count("GetRole"); n != 4 {
		t.Errorf("%d calls, want 3 and one that was corrected", n)
	}
}

func TestRetries(t *testing.T) {
	for code, want := range map[string]int{"Throttling": 2, "ServiceFailure": 2, "AccessDenied": 1, "ValidationError": 1} {
		calls := 0
		c := served(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				answer(w, 400, "<ErrorResponse><Error><Code>"+code+"</Code><Message>no</Message></Error></ErrorResponse>")
				return
			}
			answer(w, 200, "<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::111111111111:role/R</Arn></Role></GetRoleResult></GetRoleResponse>")
		})
		_, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R")
		// A denial is followed by one call for the account's details.
		if code == "AccessDenied" {
			want++
		}
		if calls != want || (err == nil) != (code == "Throttling" || code == "ServiceFailure") {
			t.Errorf("%s: %d calls, %v", code, calls, err)
		}
	}
}

// TestHostileAnswers: whatever an endpoint says is one line of text, or an error; never a panic, never an empty success.
func TestHostileAnswers(t *testing.T) {
	for _, body := range []string{
		"", "<", "not XML", "{}", "null", "<GetRoleResponse/>", "<GetRoleResponse><GetRoleResult>", "\x1b[31m",
		"<ErrorResponse><Error><Code>\u0007Evil\n</Code><Message>\u001b[2J</Message></Error></ErrorResponse>",
		`{"__type":"x#EvilException","message":"\u001b[2J"}`,
	} {
		for _, status := range []int{200, 400, 403} {
			c := served(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) })
			_, err := c.Role(t.Context(), "arn:aws:iam::111111111111:role/R")
			if err == nil || strings.ContainsAny(err.Error(), "\x1b\n\a") {
				t.Errorf("%d %q: %v", status, body, err)
			}
			if _, err := c.Organization(t.Context()); err == nil || strings.ContainsAny(err.Error(), "\x1b\n\a") {
				t.Errorf("organization: %d %q: %v", status, body, err)
			}
			if _, err := c.SCPs(t.Context(), "111111111111"); err == nil {
				t.Errorf("levels: %d %q: no error", status, body)
			}
		}
	}
}

func TestEndlessListEnds(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"Parents":[{"Id":"ou-1","Type":"ORGANIZATIONAL_UNIT"}]}`)
	})
	if _, err := c.SCPs(t.Context(), "111111111111"); err == nil || !strings.Contains(err.Error(), "deeper than any") {
		t.Error(err)
	}
}

func TestGivesUpWithItsContext(t *testing.T) {
	c := served(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 503, "") })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.Organization(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestSecretsAreHidden(t *testing.T) {
	c := Credentials{"AKIA", "secret", "token"}
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, &c); strings.Contains(text, "secret") || strings.Contains(text, "token") {
		t.Error(text)
	}
}
