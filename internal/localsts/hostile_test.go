package localsts

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// TestManyCallers is a thousand at once, half of them with a wrong secret, while policies change.
func TestManyCallers(t *testing.T) {
	var panics atomic.Int32
	accounts := Example()
	accounts[0].RootKeys = []AccessKey{{ID: "AKIAEXAMPLE00ROOT001", Secret: "root"}}
	s := StartTest(t, Options{Panic: func(any, []byte) { panics.Add(1) }}, accounts...)
	root := keys{"AKIAEXAMPLE00ROOT001", "root", ""}
	var wg sync.WaitGroup
	var granted, refused, other atomic.Int32
	limit := make(chan struct{}, 200)
	for i := range 1000 {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			k := aSan
			if i%2 == 1 {
				k.secret = "wrong"
			}
			if i%50 == 0 {
				iamDo(t, s.URL, root, "TagUser", "UserName", "B-san", "Tags.member.1.Key", "k", "Tags.member.1.Value", "v")
			}
			form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {*target("Open")}, "RoleSessionName": {"many"}}
			switch a := send(t, signed(t, s.URL, k, "sts", form.Encode())); {
			case a.status == http.StatusOK && i%2 == 0:
				granted.Add(1)
			case a.errorCode() == "SignatureDoesNotMatch" && i%2 == 1:
				refused.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 500 || refused.Load() != 500 || other.Load() != 0 || panics.Load() != 0 {
		t.Errorf("%d granted, %d refused, %d other, %d panics", granted.Load(), refused.Load(), other.Load(), panics.Load())
	}
}

// TestBombs sends documents that would exhaust a careless reader.
func TestBombs(t *testing.T) {
	s := StartTest(t, Options{})
	for name, policy := range map[string]string{
		"deep list":   strings.Repeat("[", 2000),
		"deep object": strings.Repeat(`{"a":`, 400),
		"control":     "{\x00}",
		"number":      `{"Version":` + strings.Repeat("9", 2000) + `}`,
	} {
		_, err := assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open"), Policy: aws.String(policy)})
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if !strings.Contains(err.Error(), "MalformedPolicyDocument") && !strings.Contains(err.Error(), "ValidationError") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzServe looks for a request that panics, or that gets credentials without a key.
func FuzzServe(f *testing.F) {
	f.Add("POST", "/", "Action=AssumeRole&Version=2011-06-15&RoleArn=x", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE0ASAN0001/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0", "20260101T000000Z")
	f.Add("GET", "/?Action=GetCallerIdentity&X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA256", "", "", "")
	f.Add("POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::222222222222:role/CI&RoleSessionName=ab&WebIdentityToken=e30.e30.e30", "", "")
	w, err := NewWorld(Example()...)
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(w, Options{Panic: func(v any, stack []byte) { panic(string(stack)) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, body, auth, date string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.ContainsAny(method, " \r\n\t") || method == "" {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "localhost", Header: http.Header{}, Body: http.NoBody}
		r = r.WithContext(t.Context())
		if body != "" {
			newBody(r, body)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", auth)
		r.Header.Set("X-Amz-Date", date)
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		if strings.Contains(rec.Body.String(), "SecretAccessKey") {
			t.Errorf("credentials for %q %q", target, body)
		}
	})
}
