package localsts

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// answer is a response as it came over the wire.
type answer struct {
	status int
	body   string
	header http.Header
}

// errorCode is the code of an error document, or "".
func (a answer) errorCode() string {
	var doc struct {
		Error struct{ Code, Message, Type string }
	}
	_ = xml.Unmarshal([]byte(a.body), &doc)
	return doc.Error.Code
}

// text is the content of the first element of a name.
func (a answer) text(name string) string {
	_, rest, ok := strings.Cut(a.body, "<"+name+">")
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, "</"+name+">")
	return v
}

// signed makes a signed request of "Action=X&…"; service decides about version and scope.
func signed(t testing.TB, base string, k keys, service, form string) *http.Request {
	t.Helper()
	version := map[string]string{"sts": stsVersion, "iam": iamVersion}[service]
	body := form + "&Version=" + version
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, base+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	creds, _ := k.Retrieve(context.Background())
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hexSum([]byte(body)), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return r
}

func send(t testing.TB, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(b), resp.Header}
}

// iamDo calls an IAM action: name, then parameters in pairs.
func iamDo(t testing.TB, base string, k keys, action string, params ...string) answer {
	t.Helper()
	form := url.Values{"Action": {action}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return send(t, signed(t, base, k, "iam", form.Encode()))
}

func TestWire(t *testing.T) {
	s := StartTest(t, Options{})
	a := send(t, signed(t, s.URL, aSan, "sts", "Action=GetCallerIdentity"))
	id := a.text("RequestId")
	want := `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/A-san</Arn>`
	if a.status != 200 || !strings.HasPrefix(a.body, want) || len(id) != 36 || a.header.Get("X-Amzn-Requestid") != id || a.header.Get("Content-Type") != "text/xml" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a = send(t, signed(t, s.URL, aSan, "sts", "Action=Nonsense%0a%3Cx"))
	if a.status != 400 || a.errorCode() != "InvalidAction" || a.text("Type") != "Sender" || a.text("RequestId") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestRefusedRequests(t *testing.T) {
	s := StartTest(t, Options{})
	get := func(rawURL string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	change := func(f func(*http.Request)) *http.Request {
		r := signed(t, s.URL, aSan, "sts", "Action=GetCallerIdentity")
		f(r)
		return r
	}
	auth := func(old, repl string) *http.Request {
		return change(func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, repl, 1))
		})
	}
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"not signed":        {get(s.URL + "/?Action=GetCallerIdentity&Version=2011-06-15"), 403, "MissingAuthenticationToken"},
		"no action":         {get(s.URL), 400, "MissingAction"},
		"no version":        {get(s.URL + "/?Action=GetCallerIdentity"), 400, "InvalidAction"},
		"iam by sts":        {signed(t, s.URL, aSan, "sts", "Action=GetUser"), 400, "InvalidAction"},
		"scope of another":  {change(func(r *http.Request) { rescope(t, r, "s3") }), 403, "SignatureDoesNotMatch"},
		"another algorithm": {auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), 400, "IncompleteSignature"},
		"no signature":      {auth("Signature=", "Nothing="), 400, "IncompleteSignature"},
		"host not signed":   {auth("host;", ""), 403, "SignatureDoesNotMatch"},
		"short credential":  {auth("/aws4_request", ""), 400, "IncompleteSignature"},
		"signature changed": {change(func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")[:len(r.Header.Get("Authorization"))-1]+"x")
		}), 403, "SignatureDoesNotMatch"},
		"body changed":    {change(func(r *http.Request) { newBody(r, "Action=GetSessionToken&Version=2011-06-15") }), 403, "SignatureDoesNotMatch"},
		"query added":     {change(func(r *http.Request) { r.URL.RawQuery = "DurationSeconds=900" }), 403, "SignatureDoesNotMatch"},
		"header unsigned": {change(func(r *http.Request) { r.Header.Set("X-Amz-Target", "x") }), 403, "SignatureDoesNotMatch"},
		"date missing":    {change(func(r *http.Request) { r.Header.Del("X-Amz-Date") }), 400, "IncompleteSignature"},
		"json body":       {change(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 400, "MalformedInput"},
		"too large":       {change(func(r *http.Request) { newBody(r, strings.Repeat("a", maxBody+1)) }), 413, "RequestEntityTooLarge"},
		"bad encoding":    {change(func(r *http.Request) { newBody(r, "Action=%zz") }), 400, "MalformedQueryString"},
		"method":          {change(func(r *http.Request) { r.Method = http.MethodPut }), 405, "InvalidAction"},
	} {
		t.Run(name, func(t *testing.T) {
			a := send(t, c.r)
			if a.status != c.status || a.errorCode() != c.code {
				t.Errorf("got %d %s, want %d %s\n%s", a.status, a.errorCode(), c.status, c.code, a.body)
			}
		})
	}
}

// TestHostMustBeSigned signs rightly, but leaves the host out: such a request would work at any other server too.
func TestHostMustBeSigned(t *testing.T) {
	s := StartTest(t, Options{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/?Action=GetCallerIdentity&Version=2011-06-15", nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	sig := &signature{date: now.Format("20060102"), region: "us-east-1", service: "sts", headers: []string{"x-amz-date"}, when: now.Truncate(time.Second)}
	r.Header.Set("X-Amz-Date", now.Format(sigTime))
	key := mac([]byte("AWS4"+aSan.secret), sig.date)
	for _, part := range []string{"us-east-1", "sts", "aws4_request"} {
		key = mac(key, part)
	}
	scope := sig.date + "/us-east-1/sts/aws4_request"
	value := hex.EncodeToString(mac(key, sigAlgorithm+"\n"+now.Format(sigTime)+"\n"+scope+"\n"+hexSum([]byte(sig.canonical(r, nil)))))
	r.Header.Set("Authorization", sigAlgorithm+" Credential="+aSan.id+"/"+scope+", SignedHeaders=x-amz-date, Signature="+value)
	if a := send(t, r); a.text("Message") != strings.ReplaceAll(msgHostNotSigned, "'", "&#39;") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func newBody(r *http.Request, body string) {
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader(body)), int64(len(body)), nil
}

func rescope(t testing.TB, r *http.Request, service string) {
	t.Helper()
	b, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(b))
	creds, _ := aSan.Retrieve(context.Background())
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hexSum(b), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestPresigned(t *testing.T) {
	ck := noon()
	s := StartTest(t, Options{Now: ck.now})
	sign := func(expires string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires="+expires, nil)
		if err != nil {
			t.Fatal(err)
		}
		creds, _ := aSan.Retrieve(t.Context())
		u, _, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hexSum(nil), "sts", "us-east-1", ck.t)
		if err != nil {
			t.Fatal(err)
		}
		r, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		return r
	}
	if a := send(t, sign("60")); a.text("Account") != "111111111111" {
		t.Errorf("%d %s", a.status, a.body)
	}
	r := sign("60")
	ck.t = ck.t.Add(61 * time.Second)
	if a := send(t, r); a.errorCode() != "SignatureDoesNotMatch" || !strings.Contains(a.body, "Signature expired") {
		t.Errorf("an expired link: %d %s", a.status, a.body)
	}
	r = sign("60")
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "X-Amz-Expires=60", "X-Amz-Expires=61", 1)
	if a := send(t, r); a.errorCode() != "SignatureDoesNotMatch" {
		t.Errorf("a changed link: %d %s", a.status, a.body)
	}
}

func TestPanicIsHidden(t *testing.T) {
	w, err := NewWorld(Example()...)
	if err != nil {
		t.Fatal(err)
	}
	var told any
	s, err := New(w, Options{Hook: func(http.ResponseWriter, *http.Request, string) bool { panic("a secret bug") }, Panic: func(v any, _ []byte) { told = v }})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/?Action=GetCallerIdentity&Version=2011-06-15", nil))
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "secret bug") || told != "a secret bug" {
		t.Errorf("%d %s, told %v", rec.Code, rec.Body, told)
	}
}
