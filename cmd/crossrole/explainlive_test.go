package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/localsts"
)

// The accounts of the live tests. 111111111111: A-san reads IAM one by one, Details reads the account's details only, Blind
// reads nothing. 222222222222: roles, and Auditor, who reads them.
const (
	liveCallers = `{"AccountId":"111111111111","UserDetailList":[
 {"UserName":"A-san","GroupList":["Readers"],"Tags":[{"Key":"team","Value":"blue"}],
  "UserPolicyList":[{"PolicyName":"Assume","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/*"},
   {"Effect":"Deny","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/Forbidden"}]}}],
  "AccessKeys":[{"AccessKeyId":"AKIAEXAMPLE0ASAN0001","SecretAccessKey":"secret-of-A-san"}],
  "MFADevices":[{"SerialNumber":"arn:aws:iam::111111111111:mfa/A-san","Base32StringSeed":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}]},
 {"UserName":"Details","UserPolicyList":[{"PolicyName":"All","PolicyDocument":{"Version":"2012-10-17","Statement":[
   {"Effect":"Allow","Action":"iam:GetAccountAuthorizationDetails","Resource":"*"}]}}],
  "GroupList":["Assumers"],"AttachedManagedPolicies":[{"PolicyName":"AssumeBound","PolicyArn":"arn:aws:iam::111111111111:policy/AssumeBound"}],
  "AccessKeys":[{"AccessKeyId":"AKIAEXAMPLE0DETAILS1","SecretAccessKey":"secret-of-Details"}]},
 {"UserName":"Blind","UserPolicyList":[{"PolicyName":"Assume","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}}],
  "AccessKeys":[{"AccessKeyId":"AKIAEXAMPLE0BLIND001","SecretAccessKey":"secret-of-Blind"}]}],
 "GroupDetailList":[
  {"GroupName":"Readers","GroupPolicyList":[],"AttachedManagedPolicies":[{"PolicyName":"ReadIAM","PolicyArn":"arn:aws:iam::111111111111:policy/ReadIAM"}]},
  {"GroupName":"Assumers","GroupPolicyList":[{"PolicyName":"AssumeOpen","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/Open"}]}}],"AttachedManagedPolicies":[]}],
 "RoleDetailList":[{"RoleName":"Hop","Path":"/team/","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/A-san"},"Action":"sts:AssumeRole"}]},
  "RolePolicyList":[{"PolicyName":"Next","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","iam:Get*","iam:List*"],"Resource":"*"}]}}]}],
 "Policies":[
  {"PolicyName":"ReadIAM","Arn":"arn:aws:iam::111111111111:policy/ReadIAM","DefaultVersionId":"v1","PolicyVersionList":[{"VersionId":"v1","IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}}]},
  {"PolicyName":"AssumeBound","Arn":"arn:aws:iam::111111111111:policy/AssumeBound","DefaultVersionId":"v1","PolicyVersionList":[{"VersionId":"v1","IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/ExternalID"}]}}]}]}`
	liveRoles = `{"AccountId":"222222222222","UserDetailList":[{"UserName":"Auditor","UserPolicyList":[{"PolicyName":"Read","PolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"*"}]}}],
  "AccessKeys":[{"AccessKeyId":"AKIAEXAMPLE0AUDITOR1","SecretAccessKey":"secret-of-Auditor"}]}],
 "RoleDetailList":[
  {"RoleName":"Open","MaxSessionDuration":3600,"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}},
  {"RoleName":"Forbidden","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}},
  {"RoleName":"Blue","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}]}},
  {"RoleName":"Office","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}},
  {"RoleName":"ExternalID","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"ExternalId123"}}}]}},
  {"RoleName":"Lax","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEqualsIfExists":{"sts:ExternalId":"ExternalId123"}}}]}},
  {"RoleName":"MFA","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"sts:ExternalId":"ExternalId123"}}}]}},
  {"RoleName":"FromHop","AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/team/Hop"},"Action":"sts:AssumeRole"}]}}]}`
	liveConfig = `[profile open]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = A-san
[profile long]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = A-san
duration_seconds = 7200
[profile forbidden]
role_arn = arn:aws:iam::222222222222:role/Forbidden
source_profile = A-san
[profile blue]
role_arn = arn:aws:iam::222222222222:role/Blue
source_profile = A-san
[profile office]
role_arn = arn:aws:iam::222222222222:role/Office
source_profile = A-san
[profile none]
role_arn = arn:aws:iam::222222222222:role/None
source_profile = A-san
[profile path]
role_arn = arn:aws:iam::222222222222:role/app/Open
source_profile = A-san
[profile id]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = A-san
external_id = ExternalId123
[profile forgot]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = A-san
[profile lax]
role_arn = arn:aws:iam::222222222222:role/Lax
source_profile = A-san
external_id = ExternalId123
[profile mfa]
role_arn = arn:aws:iam::222222222222:role/MFA
source_profile = A-san
external_id = ExternalId123
mfa_serial = arn:aws:iam::111111111111:mfa/A-san
[profile hop]
role_arn = arn:aws:iam::111111111111:role/team/Hop
source_profile = A-san
[profile far]
role_arn = arn:aws:iam::222222222222:role/FromHop
source_profile = hop
[profile far-forbidden]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = hop
external_id = ExternalId123
[profile by-details]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = Details
[profile by-details-attached]
role_arn = arn:aws:iam::222222222222:role/ExternalID
source_profile = Details
external_id = ExternalId123
[profile by-details-denied]
role_arn = arn:aws:iam::222222222222:role/Blue
source_profile = Details
[profile blind]
role_arn = arn:aws:iam::222222222222:role/Open
source_profile = Blind
`
	liveKeys = `[A-san]
aws_access_key_id = AKIAEXAMPLE0ASAN0001
aws_secret_access_key = secret-of-A-san
[Details]
aws_access_key_id = AKIAEXAMPLE0DETAILS1
aws_secret_access_key = secret-of-Details
[Blind]
aws_access_key_id = AKIAEXAMPLE0BLIND001
aws_secret_access_key = secret-of-Blind
[Auditor]
aws_access_key_id = AKIAEXAMPLE0AUDITOR1
aws_secret_access_key = secret-of-Auditor
`
)

// liveWorld serves the accounts; organization answers for Organizations (nil: the accounts are in none).
func liveWorld(t *testing.T, organization map[string]string) (*localsts.TestServer, map[string]string) {
	t.Helper()
	var accounts []*localsts.Account
	for _, text := range []string{liveCallers, liveRoles} {
		a, err := localsts.LoadAccount(strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, a)
	}
	sts := localsts.StartTest(t, localsts.Options{}, accounts...)
	orgs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var params map[string]string
		_ = json.NewDecoder(r.Body).Decode(&params)
		answer, ok := organization[action+" "+params["ChildId"]+params["TargetId"]+params["PolicyId"]+strings.TrimPrefix(" "+params["Filter"], " ")]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"__type":"AWSOrganizationsNotInUseException","Message":"Your account is not a member of an organization."}`
			if organization != nil {
				answer = `{"__type":"AccessDeniedException","Message":"You don't have permissions to access this resource."}`
			}
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(orgs.Close)
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeIn(t, filepath.Join(home, ".aws"), "credentials", liveKeys)
	writeIn(t, filepath.Join(home, ".aws"), "config", liveConfig)
	return sts, map[string]string{
		"HOME": home, "USERPROFILE": home, "AWS_ENDPOINT_URL_STS": sts.URL, "AWS_ENDPOINT_URL_ORGANIZATIONS": orgs.URL, "CROSSROLE_CACHE": "off",
		"CROSSROLE_TIMEOUT": "10s",
	}
}

func TestExplainLive(t *testing.T) {
	_, env := liveWorld(t, nil)
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"both sides are read and allow", []string{"open"}, 0, []string{"ALLOWED", "iam:user/A-san/Assume:1:", "iam:role/Open/trust policy:1:"}},
		{"an explicit Deny", []string{"forbidden"}, 4, []string{"DENIED", "explicitly denies"}},
		{"the caller's own tags count", []string{"blue"}, 0, nil},
		{"what only the real request carries is unknown", []string{"office"}, 1, []string{"UNKNOWN", "aws:SourceIp, which only the real request carries"}},
		{"a role that is not there", []string{"none"}, 4, []string{"there is no role arn:aws:iam::222222222222:role/None"}},
		{"a role of another path", []string{"path"}, 4, []string{"the role's ARN is arn:aws:iam::222222222222:role/Open"}},
		{"an external ID", []string{"id"}, 0, nil},
		{"a forgotten external ID", []string{"forgot"}, 4, []string{"external_id = ExternalId123"}},
		{"over the role's maximum", []string{"long"}, 4, []string{"MaxSessionDuration of 3600"}},
		{"two hops", []string{"far"}, 0, []string{"arn:aws:iam::111111111111:role/team/Hop"}},
		{"the second hop is refused", []string{"far-forbidden", "--external-id", "x1"}, 4, []string{"the external ID differs"}},
		{"through the account's details: group", []string{"by-details"}, 0, []string{"Assumers/AssumeOpen"}},
		{"through the account's details: attached", []string{"by-details-attached"}, 0, []string{"AssumeBound"}},
		{"through the account's details: nothing", []string{"by-details-denied"}, 4, []string{"attach this to arn:aws:iam::111111111111:user/Details"}},
		{"a caller who may read nothing", []string{"blind"}, 1, []string{"UNKNOWN", "unknown: the policies of arn:aws:iam::111111111111:user/Blind: iam:GetUser: AccessDenied"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"explain", "--live", "--target-profile", "Auditor"}, tt.args...)
			r := runApp(t, "", env, args...)
			if r.code != tt.code {
				t.Errorf("exit %d, want %d:\n%s%s", r.code, tt.code, r.out, r.err)
			}
			for _, want := range tt.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("%q is missing in\n%s", want, r.out)
				}
			}
			if strings.Contains(r.out+r.err, "secret-of") {
				t.Errorf("a secret: %s%s", r.out, r.err)
			}
		})
	}
}

// TestExplainLiveAgreesWithSTS: whatever explain decides about a hop, the local STS decides too.
func TestExplainLiveAgreesWithSTS(t *testing.T) {
	_, env := liveWorld(t, nil)
	decided := 0
	for line := range strings.SplitSeq(liveConfig, "\n") {
		name, ok := strings.CutPrefix(line, "[profile ")
		if name = strings.TrimSuffix(name, "]"); !ok || name == "mfa" {
			continue
		}
		says := runApp(t, "", env, "explain", name, "--live", "--target-profile", "Auditor").code
		does := runApp(t, "", env, "assume", name, "--format", "process").code
		if says == 1 {
			continue // unknown
		}
		decided++
		if name == "long" { // STS answers with a ValidationError
			does = 4
		}
		if says != does {
			t.Errorf("%s: explain %d, assume %d", name, says, does)
		}
	}
	if decided < 12 {
		t.Errorf("only %d were decided", decided)
	}
}

// TestExplainLiveUnknown: what can't be read is never taken for allowed.
func TestExplainLiveUnknown(t *testing.T) {
	member := map[string]string{"DescribeOrganization ": `{"Organization":{"Id":"o-abc","MasterAccountId":"999999999999"}}`}
	tests := []struct {
		name         string
		organization map[string]string
		args         []string
		code         int
		want         string
	}{
		{"the role's account", nil, []string{"open"}, 1, "unknown: the trust policy of arn:aws:iam::222222222222:role/Open: no credentials for that account"},
		{"the SCPs", member, []string{"open", "--target-profile", "Auditor"}, 1, "unknown: the SCPs of account 111111111111: organizations:ListParents"},
		{"a Deny stands whatever else is unknown", member, []string{"forbidden", "--target-profile", "Auditor"}, 4, "explicitly denies"},
		{"a missing Allow stands too", member, []string{"by-details-denied"}, 4, "no identity policy allows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, env := liveWorld(t, tt.organization)
			r := runApp(t, "", env, append([]string{"explain", "--live"}, tt.args...)...)
			if r.code != tt.code || !strings.Contains(r.out, tt.want) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", r.code, tt.code, tt.want, r.out, r.err)
			}
		})
	}
}

func TestExplainLiveOrganization(t *testing.T) {
	const (
		full = `{"Policies":[{"Id":"p-Full","Name":"FullAWSAccess"}]}`
		none = `{"Policies":[]}`
	)
	management := map[string]string{"DescribeOrganization ": `{"Organization":{"Id":"o-abc","MasterAccountId":"111111111111"}}`}
	reader := func(ou string) map[string]string {
		m := map[string]string{
			"DescribeOrganization ":    `{"Organization":{"Id":"o-abc","MasterAccountId":"999999999999"}}`,
			"ListParents 111111111111": `{"Parents":[{"Id":"ou-1","Type":"ORGANIZATIONAL_UNIT"}]}`,
			"ListParents 222222222222": `{"Parents":[{"Id":"r-1","Type":"ROOT"}]}`,
			"ListParents ou-1":         `{"Parents":[{"Id":"r-1","Type":"ROOT"}]}`,
			"DescribePolicy p-Full":    `{"Policy":{"Content":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}}`,
			"DescribePolicy p-EC2":     `{"Policy":{"Content":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"ec2:*\",\"Resource\":\"*\"}]}"}}`,
		}
		for _, target := range []string{"r-1", "ou-1", "111111111111", "222222222222"} {
			m["ListPoliciesForTarget "+target+"SERVICE_CONTROL_POLICY"] = full
			m["ListPoliciesForTarget "+target+"RESOURCE_CONTROL_POLICY"] = none
		}
		m["ListPoliciesForTarget ou-1SERVICE_CONTROL_POLICY"] = ou
		return m
	}
	// The management account is bound by no SCP; of the role's account nobody may look.
	_, env := liveWorld(t, management)
	r := runApp(t, "", env, "explain", "--live", "open", "--target-profile", "Auditor")
	if r.code != 1 || strings.Contains(r.out, "the SCPs of") || !strings.Contains(r.out, "unknown: the RCPs of account 222222222222") {
		t.Errorf("management account: exit %d:\n%s", r.code, r.out)
	}
	_, env = liveWorld(t, reader(full))
	if r := runApp(t, "", env, "explain", "--live", "open", "--target-profile", "Auditor"); r.code != 0 {
		t.Errorf("every level allows: exit %d:\n%s%s", r.code, r.out, r.err)
	}
	_, env = liveWorld(t, reader(`{"Policies":[{"Id":"p-EC2","Name":"OnlyEC2"}]}`))
	if r := runApp(t, "", env, "explain", "--live", "open", "--target-profile", "Auditor"); r.code != 4 || !strings.Contains(r.out, "attach this as an SCP") {
		t.Errorf("one level does not allow: exit %d:\n%s%s", r.code, r.out, r.err)
	}
}

func TestExplainTry(t *testing.T) {
	sts, env := liveWorld(t, nil)
	device := localsts.MFADevice{Seed: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
	code, err := device.Code(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		args     []string
		code     int
		enforced string
		want     string
	}{
		{"enforced", []string{"id"}, 0, "true", "the external ID is enforced"},
		{"not enforced", []string{"lax"}, 0, "false", "THE EXTERNAL ID IS NOT ENFORCED"},
		{"none sent", []string{"open"}, 0, "false", "none is enforced"},
		{"refused", []string{"forgot"}, 4, "null", "AWS refused the call"},
		{"what can't be read is decided by AWS", []string{"office"}, 0, "false", "AWS allowed the call"},
		{"a chain", []string{"far"}, 0, "false", "AWS allowed the call"},
		{"with MFA: one code for both calls", []string{"mfa", "--mfa-code", code}, 0, "true", "the external ID is enforced"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := sts.Count("AssumeRole")
			r := runApp(t, "", env, append([]string{"explain", "--try"}, append(tt.args, "--format", "json")...)...)
			if r.code != tt.code {
				t.Fatalf("exit %d, want %d:\n%s%s", r.code, tt.code, r.out, r.err)
			}
			var got struct {
				Hops []struct {
					Tried struct {
						Enforced json.RawMessage `json:"external_id_enforced"`
						What     string
					}
				}
			}
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatal(err)
			}
			last := got.Hops[len(got.Hops)-1].Tried
			if string(last.Enforced) != tt.enforced || !strings.Contains(last.What, tt.want) {
				t.Errorf("enforced %s, %q; want %s, %q", last.Enforced, last.What, tt.enforced, tt.want)
			}
			if calls := sts.Count("AssumeRole") - before; calls > len(got.Hops)+1 {
				t.Errorf("%d calls for %d hops", calls, len(got.Hops))
			}
		})
	}
}

func TestLiveFlagsWithoutProfile(t *testing.T) {
	for _, args := range [][]string{
		{"--live", "--caller", aSan, "--role-arn", farRole},
		{"p", "--live", "--caller", aSan},
		{"p", "--target-profile", "x"},
		{"p", "--try", "--account", "x.json"},
		{"--request", "-", "--live"},
	} {
		if r := runApp(t, "{}", nil, append([]string{"explain"}, args...)...); r.code != 2 || r.out != "" {
			t.Errorf("%v: exit %d, %q", args, r.code, r.out)
		}
	}
}

func TestEndpointOfOtherServices(t *testing.T) {
	const aws = "https://iam.amazonaws.com"
	tests := []struct {
		env  map[string]string
		sts  string
		want string
	}{
		{nil, "", aws},
		{nil, "http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{nil, "https://sts.eu-west-1.amazonaws.com", aws},
		{nil, "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com", aws},
		{nil, "https://sts.amazonaws.com.evil.example", "https://sts.amazonaws.com.evil.example"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://a"}, "", "http://a"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_IAM": "http://b"}, "http://c", "http://b"},
		{map[string]string{"AWS_ENDPOINT_URL_IAM": "http://b", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "", aws},
	}
	for _, tt := range tests {
		a := &app{getenv: func(n string) string { return tt.env[n] }}
		if got := a.endpoint("AWS_ENDPOINT_URL_IAM", whereAt(tt.sts), aws); got != tt.want {
			t.Errorf("%v, STS at %q: %q, want %q", tt.env, tt.sts, got, tt.want)
		}
	}
}

func whereAt(endpoint string) assume.Where { return assume.Where{Endpoint: endpoint} }
