package iamread

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"crossrole/internal/localsts"
)

// TestSnapshot reads an account of the local STS and holds the copy against it.
func TestSnapshot(t *testing.T) {
	accounts := localsts.Example()
	for i, a := range accounts {
		a.RootKeys = []localsts.AccessKey{{ID: "AKIAEXAMPLE00ROOT00" + string(rune('1'+i)), Secret: "root"}}
	}
	accounts[0].SAML = []*localsts.SAMLProvider{{ARN: "arn:aws:iam::111111111111:saml-provider/Corp", Metadata: "<EntityDescriptor/>"}}
	s := localsts.StartTest(t, localsts.Options{}, accounts...)
	read := func(i int, secret string) (*localsts.Account, []string, error) {
		c := &Client{
			HTTP: http.DefaultClient, IAM: Endpoint{s.URL, "us-east-1"}, Now: time.Now,
			Credentials: Credentials{AccessKeyID: accounts[i].RootKeys[0].ID, SecretAccessKey: secret},
		}
		text, missing, err := c.Snapshot(t.Context())
		if err != nil {
			return nil, missing, err
		}
		a, err := localsts.LoadAccount(bytes.NewReader(text), accounts[i].ID)
		return a, missing, err
	}
	a, missing, err := read(0, "root")
	if err != nil || len(missing) > 0 {
		t.Fatal(err, missing)
	}
	if len(a.Users) != 2 || a.Users[0].ID != accounts[0].Users[0].ID || len(a.Users[0].MFADevices) != 1 || a.Users[0].MFADevices[0].Seed != "" {
		t.Errorf("users %+v", a.Users)
	}
	if r := a.Roles[0]; r.MaxSession != 43200 || !strings.Contains(string(r.Trust), `"arn:aws:iam::111111111111:root"`) || len(r.Inline) != 1 {
		t.Errorf("role %+v", r)
	}
	if len(a.SAML) != 1 || a.SAML[0].Metadata != "<EntityDescriptor/>" {
		t.Errorf("SAML providers %+v", a.SAML)
	}
	b, _, err := read(1, "root")
	if err != nil || len(b.Roles) != len(accounts[1].Roles) || len(b.OIDC) != 1 || b.OIDC[0].ClientIDs[0] != "sts.amazonaws.com" {
		t.Errorf("%+v %v", b, err)
	}
	if _, _, err := read(0, "wrong"); err == nil {
		t.Error("a wrong secret was taken")
	}
}
