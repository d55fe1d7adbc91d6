package localsts

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkAssumeRole is one whole decision: signature, policies of both sides, credentials. Two cores must do 2,000 a
// second, which is a million nanoseconds each for one.
func BenchmarkAssumeRole(b *testing.B) {
	w, err := NewWorld(Example()...)
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(w, Options{})
	if err != nil {
		b.Fatal(err)
	}
	form := url.Values{"Action": {"AssumeRole"}, "RoleArn": {*target("Open")}, "RoleSessionName": {"bench"}}
	proto := signed(b, "http://127.0.0.1", aSan, "sts", form.Encode())
	text := form.Encode() + "&Version=" + stsVersion
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := proto.Clone(proto.Context())
			newBody(r, text)
			rec := httptest.NewRecorder()
			if s.ServeHTTP(rec, r); rec.Code != http.StatusOK {
				b.Fatal(rec.Body)
			}
		}
	})
}

// largeAccount has 5,000 roles with a trust policy and an inline policy each.
func largeAccount() string {
	var b strings.Builder
	b.WriteString(`{"AccountId":"333333333333","RoleDetailList":[`)
	for i := range 5000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"RoleName":"role-%d","AssumeRolePolicyDocument":%s,"RolePolicyList":[{"PolicyName":"p","PolicyDocument":%s}]}`,
			i, trustOf("arn:aws:iam::111111111111:root"), strings.Replace(allowSwitch, `"Resource":"*"`, fmt.Sprintf(`"Resource":["arn:aws:iam::1:role/%s"]`, strings.Repeat("x", 1500)), 1))
	}
	b.WriteString(`]}`)
	return b.String()
}

// TestLargeAccount keeps 5,000 roles, each asked for once, under 300 MB.
func TestLargeAccount(t *testing.T) {
	a, err := LoadAccount(strings.NewReader(largeAccount()), "")
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWorld(append(Example(), a)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Roles {
		w.docs.get(r.Trust, "")
		w.docs.get(r.Inline[0].Document, "")
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 300<<20 {
		t.Errorf("%d MB", m.HeapAlloc>>20)
	}
	t.Logf("5,000 roles: %d MB", m.HeapAlloc>>20)
	runtime.KeepAlive(w)
}
