package iamread

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// organizationsServer answers each request from its action and its fields.
func organizationsServer(t *testing.T, answer func(action string, in map[string]string) (status int, body string)) *Client {
	t.Helper()
	return served(t, func(w http.ResponseWriter, r *http.Request) {
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
	})
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
	list, err := r.Accounts(t.Context(), "")
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
	list, err := r.Accounts(t.Context(), "r-1")
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
		list, err := r.Accounts(t.Context(), "")
		if err == nil || !strings.HasPrefix(err.Error(), "organizations:ListAccounts: ") || len(list) != 0 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

func TestAccountsDenied(t *testing.T) {
	r := organizationsServer(t, func(string, map[string]string) (int, string) {
		return 400, `{"__type":"com.amazon#AccessDeniedException","Message":"You don't have \u001b[31mpermissions"}`
	})
	_, err := r.Accounts(t.Context(), "")
	var api *APIError
	if !errors.As(err, &api) || api.Action != "organizations:ListAccounts" || !api.Denied() {
		t.Fatalf("%v", err)
	}
	if text := err.Error(); strings.Contains(text, "\x1b") {
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
	if list, err := r.Accounts(t.Context(), ""); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	r = organizationsServer(t, func(string, map[string]string) (int, string) { return 503, "" })
	if _, err := r.Accounts(t.Context(), ""); err == nil {
		t.Error("503 for ever is no list")
	}
}

// A service that throttles for ever, or says nothing, is given up on in time.
func TestAccountsTimeout(t *testing.T) {
	r := organizationsServer(t, func(string, map[string]string) (int, string) { return 429, "" })
	r.Timeout = 300 * time.Millisecond
	start := time.Now()
	var api *APIError
	if _, err := r.Accounts(t.Context(), ""); !errors.As(err, &api) || time.Since(start) > 5*time.Second {
		t.Errorf("throttled: %v after %v", err, time.Since(start))
	}
	quiet := make(chan struct{})
	r = served(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-quiet })
	defer close(quiet)
	r.Timeout = 100 * time.Millisecond
	if _, err := r.Accounts(t.Context(), ""); err == nil || err.Error() != "organizations:ListAccounts: no answer within 100ms" {
		t.Errorf("silent: %v", err)
	}
}
