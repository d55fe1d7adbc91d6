package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

const fullRequest = `{
 "caller": {"arn": "arn:aws:sts::111111111111:assumed-role/Caller/me", "principal_arn": "arn:aws:iam::111111111111:role/team/Caller", "unique_id": "AROAX1234567890"},
 "organization": {"id": "o-1", "management_account": "999999999999"},
 "role_arn": "arn:aws:iam::222222222222:role/Target",
 "actions": ["sts:AssumeRole", "sts:TagSession"],
 "context": {"sts:ExternalId": "x", "aws:TagKeys": ["a", "b"], "aws:MultiFactorAuthPresent": false, "aws:MultiFactorAuthAge": 12, "gone": null},
 "trust_policy": {"Version": "2012-10-17", "Statement": [
   {"Sid": "In", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/team/Caller"}, "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"sts:ExternalId": "x"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}}]},
 "identity_policies": [{"name": "may", "policy": "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:*\",\"Resource\":\"arn:aws:iam::222222222222:role/Target\"}}"}],
 "permissions_boundary": null,
 "session_policy": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}},
 "scps": [{"level": "root", "policies": [{"name": "full", "policy": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]}],
 "rcps": []
}`

func TestParseRequest(t *testing.T) {
	req, err := ParseRequest(strings.NewReader(fullRequest), "req.json")
	if err != nil {
		t.Fatal(err)
	}
	res := wantDecision(t, req, DecisionAllow, false)
	if v := req.Context["aws:TagKeys"]; !v.Multi || len(v.Values) != 2 || req.Context["aws:MultiFactorAuthPresent"].Values[0] != "false" {
		t.Errorf("context: %v", req.Context)
	}
	if _, there := req.Context["gone"]; there {
		t.Error("a null value is carried")
	}
	if p := res.Reasons[0]; p.Place() == "" {
		t.Errorf("no place: %+v", p)
	}
	found := false
	for _, r := range res.Reasons {
		found = found || r.Side == SideTrust && r.Statement == "In" && r.Place() == "req.json:8:4"
	}
	if !found {
		t.Errorf("the trust statement is not named with its place: %+v", res.Reasons)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                          "a request is an object",
		`{"callers":{}}`:              `unknown member "callers"`,
		`{"caller":{"user":"x"}}`:     `unknown member "user"`,
		`{"caller":{},"caller":{}}`:   "twice",
		`{"actions":[1]}`:             "an action must be a string",
		`{"context":{"a":{"b":1}}}`:   `the context key "a"`,
		`{"context":{"a":1,"A":2}}`:   "twice",
		`{"scps":{}}`:                 "scps must be a list",
		`{"identity_policies":[{}]}`:  "has no policy",
		`{"rcps":[{"policies":[1]}]}`: "must be an object",
		`{"role_arn":5}`:              "role_arn must be a string",
	} {
		_, err := ParseRequest(strings.NewReader(text), "r")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
			continue
		}
		if res := InvalidResult(err); res.Decision != DecisionInvalid || len(res.Reasons) != 1 || res.Reasons[0].Side != SideRequest {
			t.Errorf("%s: %+v", text, res)
		}
	}
}

// A level may be numbered; and a context of many keys is read in a time that grows with it, not with its square.
func TestParseRequestNumberedAndLarge(t *testing.T) {
	const keys = 100_000
	var b strings.Builder
	b.WriteString(`{"scps":[{"level":0,"policies":[{"name":7,"policy":{}}]}],"context":{`)
	for i := range keys {
		fmt.Fprintf(&b, `"k:%d":"v",`, i)
	}
	b.WriteString(`"K:0x":"v"}}`)
	start := time.Now()
	req, err := ParseRequest(strings.NewReader(b.String()), "")
	if err != nil || len(req.Context) != keys+1 || req.SCPs[0].Name != "0" || req.SCPs[0].Policies[0].Name != "7" {
		t.Fatalf("%v, %d keys, levels %+v", err, len(req.Context), req.SCPs)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("%d keys took %s", keys, took)
	}
}

// The JSON form of a result: the documented names, no list null.
func TestResultShape(t *testing.T) {
	req, _ := ParseRequest(strings.NewReader(fullRequest), "")
	for _, res := range []*Result{Evaluate(req), Evaluate(&Request{}), InvalidResult(os.ErrNotExist)} {
		raw, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		var shape map[string]json.RawMessage
		if err := json.Unmarshal(raw, &shape); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"decision", "explicit", "reasons", "missing", "warnings", "trace"} {
			if v := string(shape[key]); v == "" || v == "null" {
				t.Errorf("%s is %q in %s", key, v, raw)
			}
		}
		if len(shape) != 6 {
			t.Errorf("other members: %s", raw)
		}
	}
}

// Requests that can't be evaluated are invalid, not denied.
func TestInvalid(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"action": func(s string) string {
			return strings.Replace(s, `["sts:AssumeRole", "sts:TagSession"]`, `["sts:AssumeRoles"]`, 1)
		},
		"no service": func(s string) string {
			return strings.Replace(s, `["sts:AssumeRole", "sts:TagSession"]`, `"AssumeRole"`, 1)
		},
		"wildcard action": func(s string) string {
			return strings.Replace(s, `["sts:AssumeRole", "sts:TagSession"]`, `["sts:*"]`, 1)
		},
		"no actions": func(s string) string { return strings.Replace(s, `["sts:AssumeRole", "sts:TagSession"]`, `[]`, 1) },
		"session as role": func(s string) string {
			return strings.Replace(s, `222222222222:role/Target",`, `222222222222:assumed-role/Target/x",`, 1)
		},
		"user as role": func(s string) string {
			return strings.Replace(s, `222222222222:role/Target",`, `222222222222:user/Target",`, 1)
		},
		"13 digits": func(s string) string {
			return strings.Replace(s, `222222222222:role/Target",`, `2222222222222:role/Target",`, 1)
		},
		"blank account": func(s string) string { return strings.Replace(s, `222222222222:role/Target",`, `:role/Target",`, 1) },
		"no role": func(s string) string {
			return strings.Replace(s, `"arn:aws:iam::222222222222:role/Target",`, `null,`, 1)
		},
		"caller": func(s string) string {
			return strings.Replace(s, `sts::111111111111:assumed-role/Caller/me`, `iam::111111111111:group/g`, 1)
		},
		"other's role": func(s string) string {
			return strings.Replace(s, `role/team/Caller", "unique`, `role/team/Other", "unique`, 1)
		},
		"trust": func(s string) string {
			return strings.Replace(s, `"Effect": "Allow", "Principal"`, `"Effect": "allow", "Principal"`, 1)
		},
		"trust is a list": func(s string) string {
			return strings.Replace(s, `"permissions_boundary": null`, `"permissions_boundary": []`, 1)
		},
		"identity no JSON": func(s string) string { return strings.Replace(s, `"{\"Version\"`, `"{Version\"`, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			text := change(fullRequest)
			if text == fullRequest {
				t.Fatal("the case changes nothing")
			}
			req, err := ParseRequest(strings.NewReader(text), "")
			if err != nil {
				t.Fatal(err)
			}
			if res := wantDecision(t, req, DecisionInvalid, false); len(res.Reasons) == 0 || len(res.Trace) > 0 {
				t.Errorf("%+v", res)
			}
		})
	}
}
