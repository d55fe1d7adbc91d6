//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	theRole   = "arn:aws:iam::222222222222:role/s3put-ok"
	theCaller = "arn:aws:iam::111111111111:user/send-to-s3"
)

// documents are the command lines of `crossrole policy`, from the plainest to one with everything.
var documents = map[string][]string{
	"plain":       {"--role-arn", theRole, "--caller", theCaller},
	"external id": {"--role-arn", theRole, "--caller", "123456780123", "--external-id", "ExternalId123"},
	"two callers": {"--role-arn", theRole, "--caller", theCaller, "--caller", "arn:aws:iam::111111111111:role/app/RoleA"},
	"everything": {
		"--role-arn", "arn:aws:iam::222222222222:role/team/s3put-ok", "--caller", theCaller, "--external-id", "a:b/c=d", "--require-mfa", "--org-id", "o-exampleorgid",
		"--service", "ssm.amazonaws.com", "--session-tag", "team", "--session-tag", "cost center", "--source-identity", "*", "--max-duration", "8h",
		"--grant-file", "grant.json", "--grant-name", "Allow-PutObject",
	},
}

// documentWorld is a folder with the grant that a role may carry.
func documentWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "", "")
	w.write("cwd/grant.json", statement("Allow", `"Action": "s3:PutObject", "Resource": "arn:aws:s3:::test-bucket/*"`))
	return w
}

// TestTemplatesPassTheirLinters: CloudFormation's own linter and terraform's formatter have nothing to say.
func TestTemplatesPassTheirLinters(t *testing.T) {
	for label, args := range documents {
		for _, side := range []string{"role", "caller"} {
			if side == "caller" && label == "external id" {
				continue // an account has no policy to write; its people do
			}
			t.Run(label+"/"+side, func(t *testing.T) {
				t.Parallel()
				w := documentWorld(t)
				write := func(kind, file string) {
					got := w.mustRun(tools.crossrole, append([]string{"policy", kind, "--side", side}, args...)...)
					w.write("cwd/"+file, got.stdout)
				}
				write("cloudformation", "template.yaml")
				w.mustRun("cfn-lint", "--regions", "eu-west-1", "--", "template.yaml")
				write("terraform", "main.tf")
				w.mustRun("terraform", "fmt", "-check", "-diff", "main.tf")
			})
		}
	}
}

// TestGeneratedSidesWorkTogether deploys both generated templates into two rehearsed accounts and lets the AWS CLI try
// the role: with the external ID, without it, and as somebody else.
func TestGeneratedSidesWorkTogether(t *testing.T) {
	w := documentWorld(t)
	w.write("cwd/people.yaml", `Resources:
  Sender: {Type: "AWS::IAM::User", Properties: {UserName: send-to-s3}}
  Other: {Type: "AWS::IAM::User", Properties: {UserName: somebody-else}}
`)
	flags := []string{"--role-arn", theRole, "--caller", theCaller, "--external-id", "ExternalId123"}
	for side, file := range map[string]string{"role": "role.yaml", "caller": "caller.yaml"} {
		got := w.mustRun(tools.crossrole, append([]string{"policy", "cloudformation", "--side", side}, flags...)...)
		w.write("cwd/"+file, got.stdout)
	}
	try := func(profile string, more ...string) result {
		args := []string{
			"rehearse", "--account", "111111111111=people.yaml", "--account", "111111111111=caller.yaml", "--account", "222222222222=role.yaml", "--",
			tools.aws, "--profile", profile, "sts", "assume-role", "--role-arn", theRole, "--role-session-name", "demo-session",
		}
		return w.run(tools.crossrole, append(args, more...)...)
	}
	if got := try("send-to-s3", "--external-id", "ExternalId123"); got.code != 0 || !strings.Contains(got.stdout, "assumed-role/s3put-ok/demo-session") {
		t.Errorf("the named caller: exit %d: %s%s", got.code, got.stdout, got.stderr)
	}
	for label, got := range map[string]result{
		"without the external ID": try("send-to-s3"),
		"with another one":        try("send-to-s3", "--external-id", "ExternalId124"),
		"somebody else":           try("somebody-else", "--external-id", "ExternalId123"),
	} {
		if got.code == 0 || !strings.Contains(got.stderr, "AccessDenied") {
			t.Errorf("%s: exit %d: %s%s", label, got.code, got.stdout, got.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, ".aws", "config")); err == nil {
		t.Error("the rehearsal wrote into the home folder")
	}
}
