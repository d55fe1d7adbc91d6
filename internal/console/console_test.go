package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const canary = "CANARY/secret+key="

var session = Session{"ASIAEXAMPLE", canary, canary + "token&more"}

// federation is the endpoint, with what it was asked.
type federation struct {
	*httptest.Server
	asked []*http.Request
	reply func(http.ResponseWriter)
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	f := &federation{reply: func(w http.ResponseWriter) { fmt.Fprint(w, `{"SigninToken":"CANARY-signin&token"}`) }}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked = append(f.asked, r)
		f.reply(w)
	}))
	t.Cleanup(f.Close)
	return f
}

func TestSignIn(t *testing.T) {
	f := newFederation(t)
	s := SignIn{Region: "eu-west-1", Service: "s3", Duration: 2 * time.Hour, Issuer: "https://example.com/back", Endpoint: f.URL + "/federation"}
	got, err := s.URL(t.Context(), f.Client(), session)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.asked) != 1 {
		t.Fatalf("%d requests", len(f.asked))
	}
	q := f.asked[0].URL.Query()
	var sent map[string]string
	if err := json.Unmarshal([]byte(q.Get("Session")), &sent); err != nil {
		t.Fatal(err)
	}
	if f.asked[0].Method != http.MethodGet || f.asked[0].URL.Path != "/federation" || q.Get("Action") != "getSigninToken" || q.Get("SessionDuration") != "7200" {
		t.Errorf("asked %s %s, %v", f.asked[0].Method, f.asked[0].URL.Path, q)
	}
	if sent["sessionId"] != "ASIAEXAMPLE" || sent["sessionKey"] != canary || sent["sessionToken"] != canary+"token&more" || len(sent) != 3 {
		t.Errorf("sent %v", sent)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"Action": {"login"}, "Issuer": {"https://example.com/back"}, "SigninToken": {"CANARY-signin&token"},
		"Destination": {"https://console.aws.amazon.com/s3/home?region=eu-west-1"},
	}
	if u.Query().Encode() != want.Encode() || !strings.HasPrefix(got, f.URL+"/federation?") {
		t.Errorf("got %s", got)
	}
}

func TestNoDurationUnlessAsked(t *testing.T) {
	f := newFederation(t)
	if _, err := (SignIn{Endpoint: f.URL, Chained: true}).URL(t.Context(), f.Client(), session); err != nil {
		t.Fatal(err)
	}
	if f.asked[0].URL.Query().Has("SessionDuration") {
		t.Error("a chained session was sent with a duration: AWS refuses it")
	}
}

func TestLogoutFirst(t *testing.T) {
	f := newFederation(t)
	s := SignIn{Endpoint: f.URL, LogoutFirst: true, Partition: "aws-us-gov"}
	got, err := s.URL(t.Context(), f.Client(), session)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(got)
	then, err := url.Parse(u.Query().Get("redirect_uri"))
	if err != nil || u.Host != "signin.amazonaws-us-gov.com" || u.Path != "/oauth" || u.Query().Get("Action") != "logout" {
		t.Errorf("logout address %s", got)
	}
	if then.Query().Get("SigninToken") != "CANARY-signin&token" || then.Query().Get("Action") != "login" {
		t.Errorf("then %s", then)
	}
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	f := newFederation(t)
	for name, c := range map[string]struct {
		s    SignIn
		with Session
		want error
	}{
		"long-term keys":       {SignIn{}, Session{"AKIA", canary, ""}, ErrLongTermKeys},
		"chained, with length": {SignIn{Duration: time.Hour, Chained: true}, session, ErrChainedDuration},
		"too short":            {SignIn{Duration: time.Minute}, session, ErrDuration},
		"too long":             {SignIn{Duration: 13 * time.Hour}, session, ErrDuration},
		"negative":             {SignIn{Duration: -time.Hour}, session, ErrDuration},
		"unknown partition":    {SignIn{Partition: "aws-moon"}, session, nil},
		"hostile region":       {SignIn{Region: "x.evil.example/"}, session, nil},
		"hostile service":      {SignIn{Service: "https://evil.example"}, session, nil},
		"service with a query": {SignIn{Service: "s3?x=y"}, session, nil},
		"service going up":     {SignIn{Service: "../x"}, session, nil},
	} {
		c.s.Endpoint = f.URL
		got, err := c.s.URL(t.Context(), f.Client(), c.with)
		if err == nil || got != "" || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, e := range []string{"http://example.com/federation", "ftp://127.0.0.1", "nothing", "http://localhost.example.com", "https://user:pw@example.com", "http://\x1b[31m"} {
		if _, err := (SignIn{Endpoint: e}).URL(t.Context(), f.Client(), session); err == nil || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("endpoint %q: %v", e, err)
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("%d requests were sent", len(f.asked))
	}
}

// Whatever goes wrong, the error says nothing of the session or the sign-in.
func TestErrorsHoldNoSecret(t *testing.T) {
	other := newFederation(t)
	for name, reply := range map[string]func(http.ResponseWriter){
		"refused":      func(w http.ResponseWriter) { http.Error(w, canary, http.StatusBadRequest) },
		"server error": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"not JSON":     func(w http.ResponseWriter) { io.WriteString(w, "<html>CANARY") },
		"no token":     func(w http.ResponseWriter) { io.WriteString(w, `{"Other":"CANARY"}`) },
		"wrong type":   func(w http.ResponseWriter) { io.WriteString(w, `{"SigninToken":["CANARY"]}`) },
		"endless":      func(w http.ResponseWriter) { io.WriteString(w, `{"SigninToken":"`+strings.Repeat("CANARY", 20000)) },
		"redirect":     func(w http.ResponseWriter) { w.Header().Set("Location", other.URL); w.WriteHeader(http.StatusFound) },
		"redirect, keeps": func(w http.ResponseWriter) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"broken": func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		f := newFederation(t)
		f.reply = reply
		got, err := (SignIn{Endpoint: f.URL}).URL(t.Context(), f.Client(), session)
		if err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "CANARY") || strings.Contains(err.Error(), "Session=") {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
	if len(other.asked) > 0 {
		t.Error("a redirect was followed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (SignIn{Endpoint: other.URL}).URL(ctx, other.Client(), session); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("cancelled: %v", err)
	}
	var status *StatusError
	f := newFederation(t)
	f.reply = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }
	if _, err := (SignIn{Endpoint: f.URL}).URL(t.Context(), f.Client(), session); !errors.As(err, &status) || status.Status != 400 {
		t.Errorf("status error: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ partition, region, service, signIn, page string }{
		{"", "", "", "https://signin.aws.amazon.com", "https://console.aws.amazon.com/console/home"},
		{"aws", "us-east-1", "", "https://signin.aws.amazon.com", "https://console.aws.amazon.com/console/home?region=us-east-1"},
		{"aws", "eu-west-1", "EC2", "https://signin.aws.amazon.com", "https://console.aws.amazon.com/ec2/home?region=eu-west-1"},
		{"aws", "", "dynamodb", "https://signin.aws.amazon.com", "https://console.aws.amazon.com/dynamodbv2/home"},
		{"aws", "", "S3/buckets/B", "https://signin.aws.amazon.com", "https://console.aws.amazon.com/s3/buckets/B"},
		{"aws-cn", "cn-north-1", "s3", "https://signin.amazonaws.cn", "https://console.amazonaws.cn/s3/home?region=cn-north-1"},
		{"aws-us-gov", "us-gov-west-1", "iam", "https://signin.amazonaws-us-gov.com", "https://console.amazonaws-us-gov.com/iam/home?region=us-gov-west-1"},
		{"aws-eusc", "", "s3", "https://eusc-de-east-1.signin.amazonaws-eusc.eu", "https://eusc-de-east-1.console.amazonaws-eusc.eu/s3/home"},
		{"aws-iso-b", "us-isob-west-1", "s3", "https://us-isob-west-1.signin.sc2shome.sgov.gov", "https://us-isob-west-1.console.sc2shome.sgov.gov/s3/home?region=us-isob-west-1"},
	} {
		p, err := placeOf(c.partition, c.region)
		if err != nil {
			t.Fatal(err)
		}
		if page, err := p.destination(c.service, c.region); err != nil || p.signIn() != c.signIn || page != c.page {
			t.Errorf("%+v: %s, %s, %v", c, p.signIn(), page, err)
		}
	}
}

func TestSwitchRole(t *testing.T) {
	for _, c := range []struct{ arn, display, want string }{
		{"arn:aws:iam::222222222222:role/B", "", "https://signin.aws.amazon.com/switchrole?account=222222222222&roleName=B&displayName=B%20%40%20222222222222"},
		{"arn:aws:iam::222222222222:role/team/x/B", "dev", "https://signin.aws.amazon.com/switchrole?account=222222222222&roleName=team/x/B&displayName=dev"},
		{"arn:aws:iam::222222222222:role/B", "a&b=c #d", "https://signin.aws.amazon.com/switchrole?account=222222222222&roleName=B&displayName=a%26b%3Dc%20%23d"},
		{"arn:aws:iam::222222222222:role/a+b=c,d.e@f", "x", "https://signin.aws.amazon.com/switchrole?account=222222222222&roleName=a%2Bb%3Dc%2Cd.e%40f&displayName=x"},
		{"arn:aws-cn:iam::222222222222:role/B", "x", "https://signin.amazonaws.cn/switchrole?account=222222222222&roleName=B&displayName=x"},
		{"arn:aws-us-gov:iam::222222222222:role/B", "x", "https://signin.amazonaws-us-gov.com/switchrole?account=222222222222&roleName=B&displayName=x"},
	} {
		if got, err := SwitchRole(c.arn, c.display); err != nil || got != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.arn, got, err, c.want)
		}
	}
	for _, arn := range []string{
		"", "B", "arn:aws:iam::222222222222:user/B", "arn:aws:sts::222222222222:assumed-role/B/s", "arn:aws:iam::2222:role/B",
		"arn:aws:iam::222222222222:role/", "arn:aws:iam::222222222222:role/a/", "arn:aws-moon:iam::222222222222:role/B", "arn:aws:s3::222222222222:role/B",
	} {
		if got, err := SwitchRole(arn, ""); err == nil {
			t.Errorf("%q gave %s", arn, got)
		}
	}
}

func TestSessionHidesItself(t *testing.T) {
	js, err := json.Marshal(struct{ S Session }{session})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %q", session, session, session, session, session), string(js), session.LogValue().String()} {
		if strings.Contains(s, "CANARY") {
			t.Errorf("secret in %s", s)
		}
	}
}
