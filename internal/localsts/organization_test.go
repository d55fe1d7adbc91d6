package localsts

import (
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const denyAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}]}`

func orgServer(t *testing.T, text string) *TestServer {
	t.Helper()
	o, err := LoadOrganization(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWorld(Example()...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetOrganization(o); err != nil {
		t.Fatal(err)
	}
	return startWorld(t, w, Options{})
}

func TestOrganization(t *testing.T) {
	rcp := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}`
	for name, c := range map[string]struct {
		org   string
		allow bool
	}{
		"full access by default":      {`{management_account: "999999999999", root: {accounts: ["111111111111", "222222222222"]}}`, true},
		"an SCP of the caller's unit": {`{management_account: "999999999999", root: {units: [{name: U, scps: [{name: d, document: ` + denyAssume + `}], accounts: ["111111111111"]}], accounts: ["222222222222"]}}`, false},
		"an SCP of the role's unit":   {`{management_account: "999999999999", root: {units: [{name: U, scps: [{name: d, document: ` + denyAssume + `}], accounts: ["222222222222"]}], accounts: ["111111111111"]}}`, true},
		"no SCP at a level":           {`{management_account: "999999999999", root: {scps: [], accounts: ["111111111111", "222222222222"]}}`, false},
		"an RCP of the role's":        {`{management_account: "999999999999", root: {accounts: ["111111111111", {id: "222222222222", rcps: [{name: d, document: ` + rcp + `}]}]}}`, false},
		"the management account":      {`{management_account: "111111111111", root: {scps: [{name: d, document: ` + denyAssume + `}], accounts: ["111111111111", "222222222222"]}}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := orgServer(t, c.org)
			_, err := assume(t, s.URL, aSan, sts.AssumeRoleInput{RoleArn: target("Open")})
			if c.allow && err != nil {
				t.Fatal(err)
			}
			if !c.allow {
				wantCode(t, err, "AccessDenied")
			}
		})
	}
}

func TestOrganizationRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no management account": `{root: {}}`,
		"an account twice":      `{management_account: "999999999999", root: {accounts: ["111111111111"], units: [{name: U, accounts: ["111111111111"]}]}}`,
		"a bad account":         `{management_account: "999999999999", root: {accounts: ["1"]}}`,
		"a bad policy":          `{management_account: "999999999999", root: {scps: [{name: x, document: {}}]}}`,
		"an RCP that allows":    `{management_account: "999999999999", root: {rcps: [{name: x, document: ` + allowSwitch + `}]}}`,
		"empty":                 ``,
	} {
		if _, err := LoadOrganization(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAttachOrgPolicies(t *testing.T) {
	o := OrganizationOf("999999999999", "111111111111", "222222222222")
	unknown := o.Attach(TargetedPolicy{OrgPolicy{"d", denyAssume}, false, []string{"111111111111", "ou-x", "r-abcd"}})
	if len(unknown) != 1 || unknown[0] != "ou-x" || len(o.Root.SCPs) != 2 || len(o.Root.Accounts[0].SCPs) != 2 || o.Root.Accounts[1].SCPs != nil {
		t.Errorf("%v %+v", unknown, o.Root)
	}
}

func TestOrganizationsAPI(t *testing.T) {
	o, err := LoadOrganization(strings.NewReader(`{management_account: "999999999999", root: {units: [{name: U, scps: [{name: d, document: ` + denyAssume + `}], accounts: ["111111111111"]}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	accounts := append(Example(), &Account{ID: "999999999999", RootKeys: []AccessKey{{ID: "AKIAEXAMPLE00ROOT009", Secret: "root"}}})
	accounts[0].RootKeys = []AccessKey{{ID: "AKIAEXAMPLE00ROOT001", Secret: "root"}}
	accounts[1].RootKeys = []AccessKey{{ID: "AKIAEXAMPLE00ROOT002", Secret: "root"}}
	w, err := NewWorld(accounts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetOrganization(o); err != nil {
		t.Fatal(err)
	}
	s := startWorld(t, w, Options{})
	ask := func(account, action, in string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/", strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", orgTarget+action)
		creds, _ := keys{"AKIAEXAMPLE00ROOT00" + account, "root", ""}.Retrieve(t.Context())
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hexSum([]byte(in)), "organizations", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		return send(t, r).body
	}
	unit := o.Root.Units[0].ID
	for _, c := range []struct{ account, action, in, want string }{
		{"9", "DescribeOrganization", `{}`, `"MasterAccountId":"999999999999"`},
		{"1", "DescribeOrganization", `{}`, `no service control policy allows`},
		{"2", "DescribeOrganization", `{}`, `AWSOrganizationsNotInUseException`},
		{"1", "ListAccounts", `{}`, `AccessDeniedException`},
		{"9", "ListAccounts", `{}`, `"Id":"111111111111"`},
		{"9", "ListParents", `{"ChildId":"111111111111"}`, `"Id":"` + unit + `","Type":"ORGANIZATIONAL_UNIT"`},
		{"9", "ListParents", `{"ChildId":"` + unit + `"}`, `"Type":"ROOT"`},
		{"9", "ListParents", `{"ChildId":"222222222222"}`, `ChildNotFoundException`},
		{"9", "ListPoliciesForTarget", `{"TargetId":"` + unit + `","Filter":"SERVICE_CONTROL_POLICY"}`, `"Name":"d"`},
		{"9", "ListPoliciesForTarget", `{"TargetId":"111111111111","Filter":"SERVICE_CONTROL_POLICY"}`, `"Id":"p-FullAWSAccess"`},
		{"9", "ListPoliciesForTarget", `{"TargetId":"x","Filter":"SERVICE_CONTROL_POLICY"}`, `TargetNotFoundException`},
		{"9", "DescribePolicy", `{"PolicyId":"` + orgPolicyID(o.Root.Units[0].SCPs[0]) + `"}`, `\"Deny\"`},
		{"9", "DescribePolicy", `{"PolicyId":"p-0"}`, `PolicyNotFoundException`},
		{"9", "ListOrganizationalUnitsForParent", `{"ParentId":"r-root"}`, `"Name":"U"`},
		{"9", "ListAccountsForParent", `{"ParentId":"` + unit + `"}`, `"Id":"111111111111"`},
		{"9", "DeleteOrganization", `{}`, `UnknownOperationException`},
		{"9", "ListRoots", `x`, `SerializationException`},
	} {
		if got := ask(c.account, c.action, c.in); !strings.Contains(got, c.want) {
			t.Errorf("%s %s by %s: %s, want …%s…", c.action, c.in, c.account, got, c.want)
		}
	}
}
