//go:build interop

package interop

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crossrole/internal/localsts"
)

// The accounts of these tests: a user of one, a role of another that asks for an external ID, and a role of a third
// that only the second may assume.
const (
	userSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

	callerAccount = `{"AccountId": "111111111111", "UserDetailList": [{
  "Path": "/", "UserName": "send-to-s3", "UserId": "AIDAEXAMPLEEXAMPLE111", "Arn": "arn:aws:iam::111111111111:user/send-to-s3", "GroupList": [],
  "AttachedManagedPolicies": [], "AccessKeys": [{"AccessKeyId": "AKIAEXAMPLEEXAMPLE11", "SecretAccessKey": "` + userSecret + `"}],
  "UserPolicyList": [{"PolicyName": "Allow-AssumeRole", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::222222222222:role/app/s3put-ok"}]}}]}],
 "GroupDetailList": [], "RoleDetailList": [], "Policies": []}`

	roleAccount = `{"AccountId": "222222222222", "UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [{
  "Path": "/app/", "RoleName": "s3put-ok", "RoleId": "AROAEXAMPLEEXAMPLE222", "Arn": "arn:aws:iam::222222222222:role/app/s3put-ok", "AttachedManagedPolicies": [],
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
    "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "Unique/Id:1"}}}]},
  "RolePolicyList": [{"PolicyName": "onwards", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::333333333333:role/last"}]}}]}]}`

	lastAccount = `{"AccountId": "333333333333", "UserDetailList": [], "GroupDetailList": [], "Policies": [], "RoleDetailList": [{
  "Path": "/", "RoleName": "last", "RoleId": "AROAEXAMPLEEXAMPLE333", "Arn": "arn:aws:iam::333333333333:role/last", "AttachedManagedPolicies": [], "RolePolicyList": [],
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::222222222222:role/app/s3put-ok"}, "Action": "sts:AssumeRole"}]}}]}`

	clientConfig = `[profile work]
role_arn = arn:aws:iam::222222222222:role/app/s3put-ok
source_profile = user
external_id = Unique/Id:1
role_session_name = me
region = eu-west-1

[profile chained]
role_arn = arn:aws:iam::333333333333:role/last
source_profile = work
role_session_name = me
region = eu-west-1

[profile by-process-work]
credential_process = "CROSSROLE" assume work --format process
region = eu-west-1

[profile by-process-chained]
credential_process = "CROSSROLE" assume chained --format process
region = eu-west-1
`
	clientCredentials = `[user]
aws_access_key_id = AKIAEXAMPLEEXAMPLE11
aws_secret_access_key = ` + userSecret + "\n"
)

// identities is who each profile leads to.
var identities = map[string]string{
	"work":    "arn:aws:sts::222222222222:assumed-role/s3put-ok/me",
	"chained": "arn:aws:sts::333333333333:assumed-role/last/me",
}

// localSTS serves the accounts on loopback, with signatures verified.
func localSTS(t *testing.T, accounts ...string) (endpoint string, server *localsts.Server) {
	t.Helper()
	var loaded []*localsts.Account
	for _, text := range accounts {
		account, err := localsts.LoadAccount(strings.NewReader(text), "")
		if err != nil {
			t.Fatal(err)
		}
		loaded = append(loaded, account)
	}
	world, err := localsts.NewWorld(loaded...)
	if err != nil {
		t.Fatal(err)
	}
	server, err = localsts.New(world, localsts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return listener.URL, server
}

// clientWorld is a home with the profiles above, whose clients talk to the local STS.
func clientWorld(t *testing.T) (*world, *localsts.Server) {
	t.Helper()
	endpoint, server := localSTS(t, callerAccount, roleAccount, lastAccount)
	w := newWorld(t, strings.ReplaceAll(clientConfig, "CROSSROLE", tools.crossrole), clientCredentials)
	return w.set("AWS_ENDPOINT_URL_STS", endpoint, "AWS_REGION", "eu-west-1"), server
}

// clients print the ARN that GetCallerIdentity answers them with, each with its library's defaults.
func clients(t *testing.T) map[string][]string {
	t.Helper()
	absolute := func(name string) string {
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	return map[string][]string{
		"aws-cli":  {tools.aws, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"},
		"boto3":    {tools.python, absolute("testdata/identity.py")},
		"go-sdk":   {tools.caller},
		"node-sdk": {tools.node, absolute("node/identity.mjs")},
	}
}

// ways are how a client comes by the credentials of a profile: each returns the command that runs the client with them.
var ways = map[string]func(w *world, profile string, client []string) []string{
	"credential_process": func(w *world, profile string, client []string) []string {
		w.set("AWS_PROFILE", "by-process-"+profile)
		return client
	},
	"env": func(w *world, profile string, client []string) []string {
		w.set("PROFILE", profile)
		return append([]string{"sh", "-c", `eval "$(crossrole assume "$PROFILE")" && exec "$@"`, "sh"}, client...)
	},
	"env unquoted": func(w *world, profile string, client []string) []string {
		w.set("PROFILE", profile)
		return append([]string{"bash", "-c", `eval $(crossrole assume "$PROFILE") && exec "$@"`, "bash"}, client...)
	},
	"exec": func(_ *world, profile string, client []string) []string {
		return append([]string{"crossrole", "exec", profile, "--"}, client...)
	},
	"exec --serve": func(_ *world, profile string, client []string) []string {
		return append([]string{"crossrole", "exec", profile, "--serve", "--"}, client...)
	},
	"exec --serve, over a default profile": func(w *world, profile string, client []string) []string {
		w.write(".aws/credentials", clientCredentials+"[default]\naws_access_key_id = AKIASOMEBODYELSE0000\naws_secret_access_key = x\n")
		return append([]string{"crossrole", "exec", profile, "--serve", "--"}, client...)
	},
	"serve": func(w *world, profile string, client []string) []string {
		w.set("PROFILE", profile, "AWS_PROFILE", "nothing-like-it")
		return append([]string{"sh", "-c", `
			crossrole serve "$PROFILE" > client.env &
			trap 'kill $!; wait $!' EXIT
			until grep -q '^unset AWS_CONTAINER_AUTHORIZATION_TOKEN$' client.env; do sleep 0.05; done
			. ./client.env
			"$@"`, "sh"}, client...)
	},
	"written profile": func(w *world, profile string, client []string) []string {
		w.mustRun(tools.crossrole, "assume", profile, "--write-profile", "written")
		w.set("AWS_PROFILE", "written")
		return client
	},
}

// TestClientsTakeTheirCredentials lets each client obtain a role's credentials in each way, and asks the local STS,
// which verifies the signature, who it is.
func TestClientsTakeTheirCredentials(t *testing.T) {
	for client, argv := range clients(t) {
		for way, prepare := range ways {
			for profile, want := range identities {
				t.Run(fmt.Sprintf("%s/%s/%s", client, way, profile), func(t *testing.T) {
					t.Parallel()
					w, server := clientWorld(t)
					command := prepare(w, profile, argv)
					got := w.mustRun(command[0], command[1:]...)
					if arn := strings.TrimSpace(got.stdout); arn != want {
						t.Errorf("the client is %q, want %q", arn, want)
					}
					if n := server.Count("GetCallerIdentity"); n != 1 {
						t.Errorf("the local STS was asked %d times, want once: did the client go elsewhere?", n)
					}
				})
			}
		}
	}
}

// TestClientsSeeAFailure: where the role says no, no client gets credentials, and none is told a secret.
func TestClientsSeeAFailure(t *testing.T) {
	for client, argv := range clients(t) {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			w, server := clientWorld(t)
			config := strings.ReplaceAll(clientConfig, "external_id = Unique/Id:1", "external_id = wrong")
			w.write(".aws/config", strings.ReplaceAll(config, "CROSSROLE", tools.crossrole))
			w.set("AWS_PROFILE", "by-process-work")
			got := w.run(argv[0], argv[1:]...)
			if got.code == 0 || server.Count("GetCallerIdentity") != 0 {
				t.Errorf("the client went on with exit %d: %s", got.code, got.stdout)
			}
			if server.Count("AssumeRole") == 0 {
				t.Error("the local STS was never asked")
			}
			if strings.Contains(got.stdout+got.stderr, userSecret) {
				t.Error("the user's secret was printed")
			}
		})
	}
}

// TestAWSCLIAndCrossroleAgreeOnAProfile: the AWS CLI by itself and crossrole come to the same role.
func TestAWSCLIAndCrossroleAgreeOnAProfile(t *testing.T) {
	for profile, want := range identities {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w, _ := clientWorld(t)
			argv := clients(t)["aws-cli"]
			alone := w.mustRun(argv[0], append(argv[1:], "--profile", profile)...)
			if got := strings.TrimSpace(alone.stdout); got != want {
				t.Errorf("the AWS CLI alone is %q, want %q", got, want)
			}
		})
	}
}

// TestWrittenProfileKeepsTheRest: the credentials file changes in one section only, whoever reads it afterwards.
func TestWrittenProfileKeepsTheRest(t *testing.T) {
	w, _ := clientWorld(t)
	before := "# mine\r\n" + strings.ReplaceAll(clientCredentials, "\n", "\r\n") + "\r\n; the end"
	w.write(".aws/credentials", before)
	w.mustRun(tools.crossrole, "assume", "work", "--write-profile", "written")
	after, err := os.ReadFile(filepath.Join(w.dir, ".aws", "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(after), before) || !strings.Contains(string(after), "[written]") {
		t.Errorf("the file is now\n%s", after)
	}
	argv := clients(t)["aws-cli"]
	got := w.mustRun(argv[0], append(argv[1:], "--profile", "written")...)
	if arn := strings.TrimSpace(got.stdout); arn != identities["work"] {
		t.Errorf("the client is %q", arn)
	}
}
