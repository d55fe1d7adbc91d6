package main

import (
	"strings"
	"testing"
)

// The snapshots of two accounts, as `aws iam get-account-authorization-details` prints them (policies decoded, or
// percent-encoded as the API gives them).
const (
	callersAccount = `{"UserDetailList":[{"Path":"/","UserName":"A-san","UserId":"AIDAEXAMPLEASAN00001","Arn":"arn:aws:iam::111111111111:user/A-san",
  "GroupList":["Switchers"],"AttachedManagedPolicies":[],"Tags":[{"Key":"team","Value":"blue"}]},
 {"Path":"/","UserName":"B-san","UserId":"AIDAEXAMPLEBSAN00001","Arn":"arn:aws:iam::111111111111:user/B-san","GroupList":[],
  "AttachedManagedPolicies":[{"PolicyName":"Elsewhere","PolicyArn":"arn:aws:iam::aws:policy/Elsewhere"}]}],
 "GroupDetailList":[{"GroupName":"Switchers","GroupId":"AGPAEXAMPLE","Arn":"arn:aws:iam::111111111111:group/Switchers","GroupPolicyList":[],
  "AttachedManagedPolicies":[{"PolicyName":"AssumeRoleForRoleB","PolicyArn":"arn:aws:iam::111111111111:policy/AssumeRoleForRoleB"}]}],
 "RoleDetailList":[],
 "Policies":[{"PolicyName":"AssumeRoleForRoleB","PolicyId":"ANPAEXAMPLE","Arn":"arn:aws:iam::111111111111:policy/AssumeRoleForRoleB","DefaultVersionId":"v2",
  "PolicyVersionList":[
   {"VersionId":"v1","IsDefaultVersion":false,"Document":{"Version":"2012-10-17","Statement":[]}},
   {"VersionId":"v2","IsDefaultVersion":true,"Document":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/app/RoleB"}]}}]}]}`
	rolesAccount = `{"UserDetailList":[],"GroupDetailList":[],"Policies":[],"RoleDetailList":[{"Path":"/app/","RoleName":"RoleB","RoleId":"AROAEXAMPLEROLEB0001",
  "Arn":"arn:aws:iam::222222222222:role/app/RoleB","RolePolicyList":[],"AttachedManagedPolicies":[],
  "AssumeRolePolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22111111111111%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%2C%22Condition%22%3A%7B%22StringEquals%22%3A%7B%22aws%3APrincipalTag%2Fteam%22%3A%22blue%22%7D%7D%7D%5D%7D"}]}`
)

func TestExplainAccounts(t *testing.T) {
	dir := t.TempDir()
	callers, roles := writeIn(t, dir, "1.json", callersAccount), writeIn(t, dir, "2.json", rolesAccount)
	const roleB, bSan = "arn:aws:iam::222222222222:role/app/RoleB", "arn:aws:iam::111111111111:user/B-san"
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"both sides", []string{"--caller", aSan, "--role-arn", roleB, "--account", callers, "--account", roles}, 0, []string{"ALLOWED", "AssumeRoleForRoleB"}},
		{"the order of the files does not matter", []string{"--caller", aSan, "--role-arn", roleB, "--account", roles, "--account", callers}, 0, nil},
		{
			"the path forgotten",
			[]string{"--caller", aSan, "--role-arn", "arn:aws:iam::222222222222:role/RoleB", "--account", roles, "--account", callers},
			4,
			[]string{"DENIED", "the role's ARN is " + roleB},
		},
		{
			"the caller's account not given",
			[]string{"--caller", aSan, "--role-arn", roleB, "--account", roles, "--context", "aws:PrincipalTag/team=blue"},
			1,
			[]string{"UNKNOWN", "unknown: the policies of " + aSan},
		},
		{
			"a caller whom the trust policy's condition refuses, whatever his policies say",
			[]string{"--caller", bSan, "--role-arn", roleB, "--account", roles, "--account", callers},
			4,
			[]string{"DENIED", "unknown: what", "Elsewhere", "trust policy of " + roleB},
		},
		{"the role's account not given", []string{"--caller", aSan, "--role-arn", roleB, "--account", callers}, 1, []string{"UNKNOWN", "unknown: the trust policy of " + roleB}},
		{"what if the trust policy were another", []string{
			"--caller", aSan, "--role-arn", roleB, "--account", callers, "--account", roles,
			"--trust-policy", writeIn(t, dir, "t.json", strings.ReplaceAll(trustOne, "%s", bSan)),
		}, 4, []string{"DENIED", "t.json"}},
		{"a caller that is no ARN", []string{"--caller", "A-san", "--role-arn", roleB, "--account", callers}, 3, []string{"INVALID"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := runApp(t, "", nil, append([]string{"explain"}, tt.args...)...)
			if r.code != tt.code {
				t.Errorf("exit %d, want %d: %s%s", r.code, tt.code, r.out, r.err)
			}
			for _, want := range tt.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("%q is missing in\n%s", want, r.out)
				}
			}
		})
	}
}
