package localsts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

func world(t *testing.T, accounts ...*Account) *Server {
	t.Helper()
	w, err := NewWorld(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.EnsureKeys(); err != nil {
		t.Fatal(err)
	}
	s, err := New(w, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTry(t *testing.T) {
	s := world(t, Example()...)
	for _, c := range []struct {
		a     Attempt
		allow bool
	}{
		{Attempt{Caller: "A-san", Role: "Open"}, true},
		{Attempt{Caller: "A-san@111111111111", Role: "Open@222222222222"}, true},
		{Attempt{Caller: "arn:aws:iam::111111111111:user/A-san", Role: *target("Open")}, true},
		{Attempt{Caller: "B-san", Role: "Open"}, false},
		{Attempt{Caller: "A-san", Role: "ExternalID"}, false},
		{Attempt{Caller: "A-san", Role: "ExternalID", ExternalID: "ExternalId123"}, true},
		{Attempt{Caller: "A-san", Role: "MFA"}, false},
		{Attempt{Caller: "A-san", Role: "MFA", MFA: true}, true},
		{Attempt{Caller: "Hop", Role: "FromHop"}, true},
		{Attempt{Caller: "arn:aws:sts::111111111111:assumed-role/Hop/x", Role: "FromHop"}, true},
		{Attempt{Caller: "Hop", Role: "FromHop", Seconds: 3601}, false},
		{Attempt{Caller: "Hop", Role: "MFA", MFA: true}, false},
		{Attempt{Caller: "A-san", Role: "FromHop"}, false},
		{Attempt{Caller: "A-san", Role: *target("Nobody")}, false},
		{Attempt{Caller: "root@111111111111", Role: "Open"}, false},
		{Attempt{Caller: "A-san", Role: "Open", Tags: []Tag{{"a", "b"}}}, false},
		{Attempt{Caller: "A-san", Role: "Tagged", Tags: []Tag{{"a", "b"}}, SourceIdentity: "me"}, true},
	} {
		out, err := s.Try(c.a)
		if err != nil || out.Allowed != c.allow {
			t.Errorf("%+v: allowed %v (%s %s), %v", c.a, out.Allowed, out.Code, out.Message, err)
		}
	}
	var unknown *UnknownNameError
	if _, err := s.Try(Attempt{Caller: "a-san", Role: "Open"}); !errors.As(err, &unknown) || len(unknown.Near) != 1 || unknown.Near[0] != "A-san" {
		t.Errorf("an unknown caller: %v", err)
	}
}

func TestCan(t *testing.T) {
	s := world(t, &Account{ID: "222222222222", Roles: []*Role{{Name: "s3put-ok", Trust: trustOf("*"), Inline: []InlinePolicy{{
		"p",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::test-bucket/*"}]}`,
	}}}}})
	for act, want := range map[string]bool{"s3:PutObject": true, "s3:GetObject": false} {
		out, err := s.Can("s3put-ok", act, "arn:aws:s3:::test-bucket/file")
		if err != nil || out.Allowed != want {
			t.Errorf("%s: %+v %v", act, out, err)
		}
	}
	if _, err := s.Can("s3put-ok", "nonsense", "*"); err == nil {
		t.Error("an action that is none was decided")
	}
}

func TestRoster(t *testing.T) {
	accounts := Example()
	accounts[1].Users = append(accounts[1].Users, &User{Name: "A-san"})
	accounts[1].Roles[0].Tags = []Tag{{ProfileTag, "prod"}, {ProfileTag, "bad name"}}
	s := world(t, accounts...)
	got := map[string]Principal{}
	for _, p := range s.Roster() {
		got[p.Profile] = p
		if !p.IsRole() && (p.Key.ID == "" || p.Key.Secret == "") {
			t.Errorf("%s has no key", p.Profile)
		}
	}
	for name, want := range map[string]string{
		"Open": "A-san@111111111111 ", "ExternalID": "A-san@111111111111 ExternalId123", "MFA": "A-san@111111111111 " + ExampleMFASerial, "FromHop": "Hop ",
	} {
		p, ok := got[name]
		if have := p.Source + " " + p.ExternalID + p.MFASerial; !ok || have != want {
			t.Errorf("%s is reached by %q, want %q", name, have, want)
		}
	}
	if a := got["Open"].Aliases; len(a) != 1 || a[0] != "prod" {
		t.Errorf("aliases %v", a)
	}
	for _, name := range []string{"A-san@222222222222", "root@111111111111", "B-san"} {
		if _, ok := got[name]; !ok {
			t.Errorf("no profile %s", name)
		}
	}
}

func TestRosterOfALargeAccount(t *testing.T) {
	a, err := LoadAccount(strings.NewReader(largeAccount()), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		a.Users = append(a.Users, &User{Name: fmt.Sprintf("u%d", i)})
	}
	s := world(t, append(Example(), a)...)
	if n := len(s.Roster()); n < 5000 {
		t.Errorf("%d in the roster", n)
	}
}

func TestHostileNamesInFiles(t *testing.T) {
	for _, text := range []string{
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a\n[profile b]"}]}`,
		`{"AccountId":"111111111111","RoleDetailList":[{"RoleName":"a b"}]}`,
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a","Arn":"arn:aws:iam::111111111111:user/a\u001b[0m"}]}`,
		`{"AccountId":"111111111111","RoleDetailList":[{"RoleName":"a","Path":"/x\ncredential_process = y\n/"}]}`,
		`{"AccountId":"111111111111","Partition":"aws\ncredential_process = y","RoleDetailList":[{"RoleName":"a"}]}`,
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a","AccessKeys":[{"AccessKeyId":"A\nx = y","SecretAccessKey":"s"}]}]}`,
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a","AccessKeys":[{"AccessKeyId":"A","SecretAccessKey":"s\ncredential_process = y"}]}]}`,
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a","MFADevices":[{"SerialNumber":"arn:x\ncredential_process = y"}]}]}`,
		`{"AccountId":"111111111111","UserDetailList":[{"UserName":"a","MFADevices":[{"SerialNumber":"arn:x","Base32StringSeed":"A\nB"}]}]}`,
	} {
		a, err := LoadAccount(strings.NewReader(text), "")
		if err == nil {
			_, err = NewWorld(a)
		}
		if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestKeysForManyUsers: a snapshot without keys gets them in time that grows with its users, not with their square.
func TestKeysForManyUsers(t *testing.T) {
	account := &Account{ID: "111111111111"}
	for i := range 60000 {
		name := "u" + strconv.Itoa(i)
		account.Users = append(account.Users, &User{Name: name, ARN: "arn:aws:iam::111111111111:user/" + name, ID: "AIDA" + name})
	}
	w, err := NewWorld(account)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := w.EnsureKeys(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, u := range account.Users[:2] {
		if o := w.keys[u.AccessKeys[0].ID]; o.user != u || o.key != &u.AccessKeys[0] {
			t.Errorf("the key of %s is not found", u.Name)
		}
	}
}
