//go:build interop

package interop

import (
	"fmt"
	"strings"
	"testing"
)

// The account of the experiment about which side must allow: a user, a role, and somebody who may change both.
const experimentAccount = `{"AccountId": "000000000000", "GroupDetailList": [], "Policies": [], "UserDetailList": [
 {"Path": "/", "UserName": "A-san", "UserId": "AIDAEXAMPLEEXAMPLEASA", "Arn": "arn:aws:iam::000000000000:user/A-san", "GroupList": [], "AttachedManagedPolicies": [],
  "AccessKeys": [{"AccessKeyId": "AKIAEXAMPLEEXAMPLEAS", "SecretAccessKey": "secret-of-A-san-that-opens-nothing-at-all"}]},
 {"Path": "/", "UserName": "admin", "UserId": "AIDAEXAMPLEEXAMPLEADM", "Arn": "arn:aws:iam::000000000000:user/admin", "GroupList": [], "AttachedManagedPolicies": [],
  "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}],
  "AccessKeys": [{"AccessKeyId": "AKIAEXAMPLEEXAMPLEAD", "SecretAccessKey": "secret-of-admin-that-opens-nothing-at-all"}]}],
 "RoleDetailList": [{"Path": "/", "RoleName": "SwitchRole", "RoleId": "AROAEXAMPLEEXAMPLESWI", "Arn": "arn:aws:iam::000000000000:role/SwitchRole",
  "AttachedManagedPolicies": [], "RolePolicyList": [],
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "sts:AssumeRole"}]}}]}`

const experimentCredentials = `[A-san]
aws_access_key_id = AKIAEXAMPLEEXAMPLEAS
aws_secret_access_key = secret-of-A-san-that-opens-nothing-at-all
[admin]
aws_access_key_id = AKIAEXAMPLEEXAMPLEAD
aws_secret_access_key = secret-of-admin-that-opens-nothing-at-all
`

const experimentConfig = `[profile switch]
role_arn = arn:aws:iam::000000000000:role/SwitchRole
source_profile = A-san
region = eu-west-1
`

func statement(effect, rest string) string {
	return fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": %q, %s}]}`, effect, rest)
}

// TestWhichSideMustAllow repeats the experiment with the AWS CLI: its author changed the two policies between the rows,
// and so do we, over the wire. After each change the AWS CLI and crossrole try the role.
func TestWhichSideMustAllow(t *testing.T) {
	const (
		assume    = `"Action": "sts:AssumeRole", "Resource": "arn:aws:iam::000000000000:role/SwitchRole"`
		readOnly  = `"Action": ["s3:Get*", "iam:Get*", "iam:List*"], "Resource": "*"`
		powerUser = `"NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"`
		root      = "arn:aws:iam::000000000000:root"
		user      = "arn:aws:iam::000000000000:user/A-san"
	)
	endpoint, _ := localSTS(t, experimentAccount)
	w := newWorld(t, experimentConfig, experimentCredentials).set("AWS_ENDPOINT_URL_STS", endpoint, "AWS_ENDPOINT_URL_IAM", endpoint, "AWS_DEFAULT_REGION", "eu-west-1")
	for _, row := range []struct {
		name, identity, principal string
		allowed                   bool
	}{
		{"1: only ReadOnlyAccess, account root", statement("Allow", readOnly), root, false},
		{"2: Allow, account root", statement("Allow", assume), root, true},
		{"3: Allow, the user's ARN", statement("Allow", assume), user, true},
		{"4: nothing, the user's ARN", statement("Allow", readOnly), user, true},
		{"5: PowerUserAccess, account root", statement("Allow", powerUser), root, true},
		{"6: Deny, the user's ARN", statement("Deny", assume), user, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := w.in(t)
			w.mustRun(tools.aws, "--profile", "admin", "iam", "put-user-policy", "--user-name", "A-san", "--policy-name", "p", "--policy-document", row.identity)
			trust := statement("Allow", fmt.Sprintf(`"Principal": {"AWS": %q}, "Action": "sts:AssumeRole"`, row.principal))
			w.mustRun(tools.aws, "--profile", "admin", "iam", "update-assume-role-policy", "--role-name", "SwitchRole", "--policy-document", trust)
			direct := w.run(tools.aws, "--profile", "A-san", "sts", "assume-role", "--role-arn", "arn:aws:iam::000000000000:role/SwitchRole", "--role-session-name", "demo-session")
			ours := w.run(tools.crossrole, "assume", "switch", "--format", "process")
			if (direct.code == 0) != row.allowed {
				t.Errorf("the AWS CLI: exit %d: %s", direct.code, direct.stderr)
			}
			want := 4
			if row.allowed {
				want = 0
			}
			if ours.code != want {
				t.Errorf("crossrole: exit %d, want %d: %s", ours.code, want, ours.stderr)
			}
			if !row.allowed && (!strings.Contains(direct.stderr, "AccessDenied") || ours.stdout != "") {
				t.Errorf("the AWS CLI says %q; crossrole prints %q", direct.stderr, ours.stdout)
			}
		})
	}
}
