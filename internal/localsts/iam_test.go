package localsts

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	allowSwitch = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`
	denySwitch  = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}]}`
	seedRole    = "arn:aws:iam::000000000000:role/SwitchRole"
)

var seedRoot, seedASan = keys{"AKIASEEDROOT00000001", "root-secret", ""}, keys{"AKIASEEDASAN00000001", "a-secret", ""}

// seedC is the account of the experiment: the user A-san, the role SwitchRole, and the account's own keys to change things with.
func seedC(t *testing.T) *TestServer {
	t.Helper()
	return StartTest(t, Options{}, &Account{
		ID:       "000000000000",
		RootKeys: []AccessKey{{ID: seedRoot.id, Secret: Secret(seedRoot.secret)}},
		Users:    []*User{{Name: "A-san", AccessKeys: []AccessKey{{ID: seedASan.id, Secret: Secret(seedASan.secret)}}}},
		Roles:    []*Role{{Name: "SwitchRole", Trust: trustOf("arn:aws:iam::000000000000:root")}},
	})
}

func trustOf(arn string) Document {
	return Document(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"}]}`, arn))
}

func (a answer) ok(t testing.TB) answer {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

func (a answer) refused(t testing.TB, status int, code string) answer {
	t.Helper()
	if a.status != status || a.errorCode() != code {
		t.Fatalf("got %d %s, want %d %s\n%s", a.status, a.errorCode(), status, code, a.body)
	}
	return a
}

// TestSeedC changes the policies between the rows, over the wire, as its author did.
func TestSeedC(t *testing.T) {
	s := seedC(t)
	set := func(t *testing.T, action string, params ...string) {
		t.Helper()
		iamDo(t, s.URL, seedRoot, action, params...).ok(t)
	}
	identity := func(t *testing.T, doc string) {
		t.Helper()
		set(t, "PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", doc)
	}
	trust := func(t *testing.T, arn string) {
		t.Helper()
		set(t, "UpdateAssumeRolePolicy", "RoleName", "SwitchRole", "PolicyDocument", string(trustOf(arn)))
	}
	const readOnly, power = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/PowerUserAccess"
	user, root := "arn:aws:iam::000000000000:user/A-san", "arn:aws:iam::000000000000:root"
	for _, row := range []struct {
		name   string
		change func()
		allow  bool
	}{
		{"1 nothing but ReadOnlyAccess, account root", func() { set(t, "AttachUserPolicy", "UserName", "A-san", "PolicyArn", readOnly) }, false},
		{"2 Allow, account root", func() { identity(t, allowSwitch) }, true},
		{"3 Allow, the user's ARN", func() { trust(t, user) }, true},
		{"4 nothing, the user's ARN", func() { set(t, "DeleteUserPolicy", "UserName", "A-san", "PolicyName", "p") }, true},
		{"+ Deny, the user's ARN", func() { identity(t, denySwitch) }, false},
		{"5 PowerUserAccess, account root", func() {
			set(t, "DeleteUserPolicy", "UserName", "A-san", "PolicyName", "p")
			set(t, "DetachUserPolicy", "UserName", "A-san", "PolicyArn", readOnly)
			set(t, "AttachUserPolicy", "UserName", "A-san", "PolicyArn", power)
			trust(t, root)
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.change()
			_, err := assume(t, s.URL, seedASan, sts.AssumeRoleInput{RoleArn: aws.String(seedRole)})
			if row.allow && err != nil {
				t.Fatal(err)
			}
			if !row.allow {
				wantCode(t, err, "AccessDenied")
			}
		})
	}
}

func TestDeletedPrincipalBecomesItsID(t *testing.T) {
	s := seedC(t)
	do := func(action string, params ...string) answer {
		t.Helper()
		return iamDo(t, s.URL, seedRoot, action, params...)
	}
	id := do("CreateUser", "UserName", "Temp").ok(t).text("UserId")
	do("UpdateAssumeRolePolicy", "RoleName", "SwitchRole", "PolicyDocument", string(trustOf("arn:aws:iam::000000000000:user/Temp"))).ok(t)
	key := func() keys {
		a := do("CreateAccessKey", "UserName", "Temp").ok(t)
		return keys{a.text("AccessKeyId"), a.text("SecretAccessKey"), ""}
	}
	first := key()
	mustAssume(t, s.URL, first, sts.AssumeRoleInput{RoleArn: aws.String(seedRole)})
	do("DeleteUser", "UserName", "Temp").refused(t, 409, "DeleteConflict")
	do("DeleteAccessKey", "UserName", "Temp", "AccessKeyId", first.id).ok(t)
	do("DeleteUser", "UserName", "Temp").ok(t)
	if trust := do("GetRole", "RoleName", "SwitchRole").ok(t).text("AssumeRolePolicyDocument"); !strings.Contains(trust, id) || strings.Contains(trust, "Temp") {
		t.Errorf("the trust policy still names the deleted user: %s", trust)
	}
	_, err := client(s.URL, first).GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "InvalidClientTokenId")
	if again := do("CreateUser", "UserName", "Temp").ok(t).text("UserId"); again == id {
		t.Errorf("the new user has the old id %s", id)
	}
	_, err = assume(t, s.URL, key(), sts.AssumeRoleInput{RoleArn: aws.String(seedRole)})
	wantCode(t, err, "AccessDenied")
}

func TestSessionsDieWithTheirRole(t *testing.T) {
	s := seedC(t)
	iamDo(t, s.URL, seedRoot, "UpdateAssumeRolePolicy", "RoleName", "SwitchRole", "PolicyDocument", string(trustOf("arn:aws:iam::000000000000:user/A-san"))).ok(t)
	k := issued(mustAssume(t, s.URL, seedASan, sts.AssumeRoleInput{RoleArn: aws.String(seedRole)}).Credentials)
	iamDo(t, s.URL, seedRoot, "DeleteRole", "RoleName", "SwitchRole").ok(t)
	iamDo(t, s.URL, seedRoot, "CreateRole", "RoleName", "SwitchRole", "AssumeRolePolicyDocument", string(trustOf("000000000000"))).ok(t)
	_, err := client(s.URL, k).GetCallerIdentity(t.Context(), nil)
	wantCode(t, err, "InvalidClientTokenId")
}

func TestIAMRefusals(t *testing.T) {
	s := seedC(t)
	for _, c := range []struct {
		status int
		code   string
		call   []string
	}{
		{404, "NoSuchEntity", []string{"GetRole", "RoleName", "Nobody"}},
		{404, "NoSuchEntity", []string{"GetUserPolicy", "UserName", "A-san", "PolicyName", "none"}},
		{404, "NoSuchEntity", []string{"AttachUserPolicy", "UserName", "A-san", "PolicyArn", "arn:aws:iam::000000000000:policy/none"}},
		{404, "NoSuchEntity", []string{"DetachUserPolicy", "UserName", "A-san", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		{404, "NoSuchEntity", []string{"GetPolicy", "PolicyArn", "arn:aws:iam::000000000000:policy/none"}},
		{409, "EntityAlreadyExists", []string{"CreateUser", "UserName", "a-SAN"}},
		{400, "ValidationError", []string{"CreateUser", "UserName", "a san"}},
		{400, "ValidationError", []string{"GetRole"}},
		{400, "ValidationError", []string{"ListRoles", "MaxItems", "0"}},
		{400, "ValidationError", []string{"ListRoles", "Marker", "?"}},
		{400, "InvalidInput", []string{"GetPolicy", "PolicyArn", "arn:aws:iam::000000000000:role/none"}},
		{400, "MalformedPolicyDocument", []string{"PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", "{"}},
		{400, "MalformedPolicyDocument", []string{"PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", string(trustOf("*"))}},
		{400, "MalformedPolicyDocument", []string{"UpdateAssumeRolePolicy", "RoleName", "SwitchRole", "PolicyDocument", allowSwitch}},
		{400, "MalformedPolicyDocument", []string{"UpdateAssumeRolePolicy", "RoleName", "SwitchRole", "PolicyDocument", string(trustOf("arn:aws:iam::000000000000:user/Nobody"))}},
		{400, "MalformedPolicyDocument", []string{"PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", strings.Repeat("[", 100000)}},
		{409, "LimitExceeded", []string{"PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", strings.Replace(allowSwitch, `"*"`, `["arn:aws:iam::1:role/`+strings.Repeat("a", 2100)+`"]`, 1)}},
	} {
		t.Run(strings.Join(c.call[:1], "")+c.code, func(t *testing.T) {
			iamDo(t, s.URL, seedRoot, c.call[0], c.call[1:]...).refused(t, c.status, c.code)
		})
	}
}

func TestIAMAsksPolicies(t *testing.T) {
	s := seedC(t)
	a := iamDo(t, s.URL, seedASan, "GetRole", "RoleName", "SwitchRole").refused(t, 403, "AccessDenied")
	want := "User: arn:aws:iam::000000000000:user/A-san is not authorized to perform: iam:GetRole on resource: role SwitchRole because no identity-based policy allows the iam:GetRole action"
	if got := a.text("Message"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	iamDo(t, s.URL, seedASan, "GetRole", "RoleName", "Nobody").refused(t, 403, "AccessDenied")
	iamDo(t, s.URL, seedRoot, "PutUserPolicy", "UserName", "A-san", "PolicyName", "deny", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"iam:GetUser","Resource":"*"}]}`).ok(t)
	iamDo(t, s.URL, seedASan, "GetRole", "RoleName", "SwitchRole").ok(t)
	a = iamDo(t, s.URL, seedASan, "GetUser").refused(t, 403, "AccessDenied")
	if !strings.HasSuffix(a.text("Message"), "with an explicit deny in an identity-based policy") {
		t.Error(a.body)
	}
	st, err := client(s.URL, seedASan).GetSessionToken(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	iamDo(t, s.URL, issued(st.Credentials), "GetRole", "RoleName", "SwitchRole").refused(t, 403, "InvalidClientTokenId")
}

func TestPagination(t *testing.T) {
	a := &Account{ID: "000000000000", RootKeys: []AccessKey{{ID: seedRoot.id, Secret: Secret(seedRoot.secret)}}}
	for i := range 25 {
		a.Roles = append(a.Roles, &Role{Name: fmt.Sprintf("r%02d", (i*7)%25), Trust: trustOf("*")})
		a.Users = append(a.Users, &User{Name: fmt.Sprintf("u%02d", i)})
	}
	s := StartTest(t, Options{}, a)
	for _, c := range []struct {
		action, list string
		want         int
	}{{"ListRoles", "<RoleName>", 25}, {"GetAccountAuthorizationDetails", "<CreateDate>", 50}} {
		seen, marker := 0, ""
		for pages := 0; ; pages++ {
			if pages > 10 {
				t.Fatal("no end")
			}
			params := []string{"MaxItems", "10"}
			if marker != "" {
				params = append(params, "Marker", marker)
			}
			p := iamDo(t, s.URL, seedRoot, c.action, params...).ok(t)
			seen += strings.Count(p.body, c.list)
			if marker = p.text("Marker"); p.text("IsTruncated") == "false" {
				break
			}
			iamDo(t, s.URL, seedRoot, "CreateRole", "RoleName", fmt.Sprintf("a%d%s", pages, c.action), "AssumeRolePolicyDocument", string(trustOf("*"))).ok(t)
		}
		if c.action == "ListRoles" && seen != c.want {
			t.Errorf("%s: %d in all, want %d", c.action, seen, c.want)
		}
		if c.action != "ListRoles" && seen < c.want {
			t.Errorf("%s: %d in all, want at least %d", c.action, seen, c.want)
		}
	}
}

func TestReads(t *testing.T) {
	s := seedC(t)
	do := func(action string, params ...string) answer {
		t.Helper()
		return iamDo(t, s.URL, seedRoot, action, params...).ok(t)
	}
	do("PutUserPolicy", "UserName", "A-san", "PolicyName", "p", "PolicyDocument", allowSwitch)
	if got, _ := url.PathUnescape(do("GetUserPolicy", "UserName", "A-san", "PolicyName", "p").text("PolicyDocument")); got != allowSwitch {
		t.Errorf("the document came back as %s", got)
	}
	arn := do("CreatePolicy", "PolicyName", "m", "PolicyDocument", allowSwitch).text("Arn")
	do("AttachRolePolicy", "RoleName", "SwitchRole", "PolicyArn", arn)
	if n := do("GetPolicy", "PolicyArn", arn).text("AttachmentCount"); n != "1" {
		t.Errorf("attached %s times", n)
	}
	do("CreatePolicyVersion", "PolicyArn", arn, "PolicyDocument", denySwitch, "SetAsDefault", "true")
	if a := do("GetPolicyVersion", "PolicyArn", arn, "VersionId", "v2"); !strings.Contains(a.body, "Deny") || a.text("IsDefaultVersion") != "true" {
		t.Error(a.body)
	}
	do("CreateGroup", "GroupName", "g")
	do("AddUserToGroup", "GroupName", "g", "UserName", "A-san")
	if a := do("ListGroupsForUser", "UserName", "A-san"); a.text("GroupName") != "g" {
		t.Error(a.body)
	}
	do("PutGroupPolicy", "GroupName", "g", "PolicyName", "gp", "PolicyDocument", allowSwitch)
	details := do("GetAccountAuthorizationDetails")
	for _, want := range []string{"<GroupList><member>g</member></GroupList>", "<PolicyName>gp</PolicyName>", "<PolicyVersionList>", "<AssumeRolePolicyDocument>"} {
		if !strings.Contains(details.body, want) {
			t.Errorf("the details have no %s", want)
		}
	}
	if a := do("ListAttachedRolePolicies", "RoleName", "SwitchRole"); a.text("PolicyArn") != arn {
		t.Error(a.body)
	}
	iamDo(t, s.URL, seedRoot, "DeletePolicy", "PolicyArn", arn).refused(t, 409, "DeleteConflict")
	do("PutRolePermissionsBoundary", "RoleName", "SwitchRole", "PermissionsBoundary", arn)
	if a := do("GetRole", "RoleName", "SwitchRole"); a.text("PermissionsBoundaryArn") != arn {
		t.Error(a.body)
	}
}
