package assume

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// organizationsServer answers each request from its action and its fields.
func organizationsServer(t *testing.T, answer func(action string, in map[string]string) (status int, body string)) *Runner {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := map[string]string{}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "/us-east-1/organizations/aws4_request") || !strings.Contains(auth, "x-amz-target") {
			t.Errorf("signed as %q", auth)
		}
		action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSOrganizationsV20161128.")
		status, body := answer(action, in)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(srv.Close)
	runner, err := NewRunner(Where{Region: "eu-west-1"}, Deps{Timeout: 5 * time.Second, Getenv: func(name string) string {
		if name == "AWS_ENDPOINT_URL_ORGANIZATIONS" {
			return srv.URL
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

func caller() Session {
	return Session{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: NewSecret("secret")}
}

func ids(list []Account) string {
	var out []string
	for _, a := range list {
		out = append(out, a.ID[11:]+a.Status[:1])
	}
	return strings.Join(out, " ")
}

func page(next string, accounts ...int) string {
	var list []string
	for _, n := range accounts {
		list = append(list, fmt.Sprintf(`{"Id":"%012d","Name":"n%d","Status":"ACTIVE"}`, n, n))
	}
	return fmt.Sprintf(`{"Accounts":[%s],"NextToken":%s}`, strings.Join(list, ","), next)
}

// Pages are followed to the end; an empty one, as AWS may send, is not it.
func TestAccountsPages(t *testing.T) {
	answers := map[string]string{
		"": page(`"two"`, 1, 2), "two": page(`"three"`), "three": page(`"four"`, 3), "four": page("null", 4),
	}
	r := organizationsServer(t, func(action string, in map[string]string) (int, string) {
		if action != "ListAccounts" {
			t.Errorf("action %q", action)
		}
		return 200, answers[in["NextToken"]]
	})
	list, err := r.Accounts(t.Context(), caller(), "aws", "")
	if err != nil || ids(list) != "1A 2A 3A 4A" {
		t.Errorf("%s, %v", ids(list), err)
	}
}

// Below an OU is what is below its OUs too, each once, whatever the tree says.
func TestAccountsBelow(t *testing.T) {
	accounts := map[string]string{"r-1": page("null", 1), "ou-a": page("null", 2), "ou-b": page("null", 3, 2), "ou-c": page("null")}
	units := map[string]string{"r-1": `[{"Id":"ou-a"},{"Id":"ou-b"}]`, "ou-b": `[{"Id":"ou-c"},{"Id":"r-1"}]`, "ou-a": `[]`, "ou-c": `[]`}
	r := organizationsServer(t, func(action string, in map[string]string) (int, string) {
		if action == "ListAccountsForParent" {
			return 200, accounts[in["ParentId"]]
		}
		return 200, `{"OrganizationalUnits":` + units[in["ParentId"]] + `}`
	})
	list, err := r.Accounts(t.Context(), caller(), "aws", "r-1")
	if err != nil || ids(list) != "1A 2A 3A" {
		t.Errorf("%s, %v", ids(list), err)
	}
}

// What is no list to its end is an error: an account must not be left out
// because an answer could not be read.
func TestAccountsAreAllOrNone(t *testing.T) {
	for name, body := range map[string]string{
		"a circle":   page(`"again"`, 1),
		"a number":   page("7", 1),
		"an object":  `{"Accounts":{}}`,
		"no JSON":    `<html>`,
		"no list":    `[]`,
		"cut off":    `{"Accounts":[{"Id":"0000`,
		"wrong item": `{"Accounts":["a"]}`,
	} {
		r := organizationsServer(t, func(string, map[string]string) (int, string) { return 200, body })
		list, err := r.Accounts(t.Context(), caller(), "aws", "")
		var call *CallError
		if !errors.As(err, &call) || len(list) != 0 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

func TestAccountsDenied(t *testing.T) {
	r := organizationsServer(t, func(string, map[string]string) (int, string) {
		return 400, `{"__type":"com.amazon#AccessDeniedException","Message":"You don't have \u001b[31mpermissions"}`
	})
	_, err := r.Accounts(t.Context(), caller(), "aws", "")
	var denied *DeniedError
	if !errors.As(err, &denied) || denied.Action != "organizations:ListAccounts" || len(denied.Hints()) != 1 {
		t.Fatalf("%v", err)
	}
	if text := err.Error(); strings.Contains(text, "\x1b") || strings.Contains(text, "external ID") {
		t.Errorf("%q", text)
	}
}

// The service answers a few requests a second: throttling is waited out.
func TestAccountsThrottled(t *testing.T) {
	var calls atomic.Int32
	r := organizationsServer(t, func(string, map[string]string) (int, string) {
		if calls.Add(1) <= 3 {
			return 400, `{"__type":"TooManyRequestsException","Message":"slow down"}`
		}
		return 200, page("null", 1)
	})
	if list, err := r.Accounts(t.Context(), caller(), "aws", ""); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	r = organizationsServer(t, func(string, map[string]string) (int, string) { return 503, "" })
	if _, err := r.Accounts(t.Context(), caller(), "aws", ""); err == nil {
		t.Error("503 for ever is no list")
	}
}
