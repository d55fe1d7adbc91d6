//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const templateGrant = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],
 "Resource":["arn:aws:s3:::test-bucket","arn:aws:s3:::test-bucket/${aws:username}/%{x}*"],
 "Condition":{"Null":{"aws:PrincipalTag/a":"false"},"NumericLessThan":{"s3:max-keys":"10"}}}]}`

// TestTemplatesPassTheirOwnTools gives what `crossrole policy` writes to the programs that people check such files with.
func TestTemplatesPassTheirOwnTools(t *testing.T) {
	dir := t.TempDir()
	grant := filepath.Join(dir, "grant.json")
	if err := os.WriteFile(grant, []byte(templateGrant), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := []string{"--role-arn", "arn:aws:iam::222222222222:role/s3put-ok", "--caller", "arn:aws:iam::111111111111:user/send-to-s3"}
	full := []string{
		"--role-arn", "arn:aws:iam::222222222222:role/app/Role-B.1", "--caller", "arn:aws:iam::111111111111:user/A-san",
		"--caller", "arn:aws:iam::111111111111:role/x/Ops", "--external-id", "ExternalId123", "--require-mfa", "--org-id", "o-abc123",
		"--session-tag", "team", "--session-tag", "cost", "--source-identity", "*", "--service", "ssm.amazonaws.com",
		"--grant-file", grant, "--max-duration", "8h",
	}
	var yaml []string
	for name, flags := range map[string][]string{"plain": plain, "full": full} {
		for _, side := range []string{"role", "caller"} {
			file := filepath.Join(dir, name+"-"+side+".yaml")
			generateInto(t, file, append([]string{"policy", "cloudformation", "--side", side}, flags...))
			generateInto(t, strings.TrimSuffix(file, ".yaml")+".tf", append([]string{"policy", "terraform", "--side", side}, flags...))
			yaml = append(yaml, file)
		}
	}
	check(t, dir, "cfn-lint", append([]string{"--regions", "us-east-1", "--"}, yaml...)...)
	check(t, dir, "terraform", "fmt", "-check", "-diff", dir)
}

func generateInto(t *testing.T, file string, args []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tools.crossrole, args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// check wants a program to find nothing to say.
func check(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing (.ci/run installs what is needed)", program)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", program, args, err, out)
	}
}
