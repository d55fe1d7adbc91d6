package localsts

import (
	"strings"
	"testing"

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
