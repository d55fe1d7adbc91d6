package run

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEnviron(t *testing.T) {
	session := map[string]string{"AWS_ACCESS_KEY_ID": "ASIA", "CROSSROLE_PROFILE": "dev", "AWS_REGION": "eu-west-1"}
	for _, c := range []struct {
		name           string
		parent, expect []string
		fold           bool
	}{
		{name: "others are kept in order", parent: []string{"PATH=/bin", "HOME=/h", "EMPTY="}, expect: []string{"PATH=/bin", "HOME=/h", "EMPTY="}},
		{name: "settings that give no credentials are kept", parent: []string{
			"AWS_CONFIG_FILE=/c", "AWS_CA_BUNDLE=/b", "AWS_ENDPOINT_URL=http://x", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_VAULT=x",
		}, expect: []string{
			"AWS_CONFIG_FILE=/c", "AWS_CA_BUNDLE=/b", "AWS_ENDPOINT_URL=http://x", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_VAULT=x",
		}},
		{name: "profile and half groups go", parent: []string{
			"AWS_PROFILE=old", "AWS_DEFAULT_PROFILE=old", "AWS_SESSION_TOKEN=old", "AWS_SECURITY_TOKEN=old", "AWS_ROLE_ARN=old",
			"AWS_WEB_IDENTITY_TOKEN_FILE=old", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "AWS_SECRET_KEY=old",
			"AWS_BEARER_TOKEN_BEDROCK=old", "AWS_BEARER_TOKEN_SOMETHING_NEW=old",
		}},
		{name: "ours go, secret or not", parent: []string{"CROSSROLE_CACHE_KEY=s3cret", "CROSSROLE_PROFILE=old", "CROSSROLE_NEW_ONE=x"}},
		{name: "a name that only begins like one stays", parent: []string{"AWS_PROFILES=x", "CROSSROLES=x"}, expect: []string{"AWS_PROFILES=x", "CROSSROLES=x"}},
		{name: "the session's replace every duplicate", parent: []string{"AWS_REGION=a", "X=1", "AWS_REGION=b"}, expect: []string{"X=1"}},
		{name: "of duplicates the first counts", parent: []string{"X=1", "Y=2", "X=3"}, expect: []string{"X=1", "Y=2"}},
		{name: "values with = and newlines", parent: []string{"X=a=b\nAWS_PROFILE=z"}, expect: []string{"X=a=b\nAWS_PROFILE=z"}},
		{name: "case counts", parent: []string{"aws_profile=x", "Path=1", "PATH=2"}, expect: []string{"aws_profile=x", "Path=1", "PATH=2"}},
		{name: "case does not count on Windows", fold: true, parent: []string{
			"aws_Profile=x", "crossrole_key=x", "Path=1", "PATH=2", `=C:=C:\dir`, `=D:=D:\dir`, "Aws_Region=a",
		}, expect: []string{"Path=1", `=C:=C:\dir`, `=D:=D:\dir`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := append(slices.Clone(c.expect), "AWS_ACCESS_KEY_ID=ASIA", "AWS_REGION=eu-west-1", "CROSSROLE_PROFILE=dev")
			if got := Environ(c.parent, session, c.fold); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// Whatever the parent has, nothing of ours and nothing that conflicts is left
// beside the session, and everything else is.
func TestEnvironKeepsItsPromiseForAnyParent(t *testing.T) {
	name := rapid.OneOf(rapid.SampledFrom(append(Conflicting(), "CROSSROLE_X", "PATH", "AWS_REGION")), rapid.StringMatching(`[A-Za-z_=][A-Za-z0-9_]*`))
	rapid.Check(t, func(t *rapid.T) {
		fold := rapid.Bool().Draw(t, "fold")
		parent := rapid.SliceOf(rapid.Custom(func(t *rapid.T) string {
			return name.Draw(t, "name") + "=" + rapid.String().Draw(t, "value")
		})).Draw(t, "parent")
		session := map[string]string{"AWS_ACCESS_KEY_ID": "new", "CROSSROLE_PROFILE": "new"}
		names := map[string]int{}
		for _, e := range Environ(parent, session, fold) {
			n := nameOf(e)
			names[n]++
			ours := strings.HasPrefix(n, "CROSSROLE_") || slices.Contains(Conflicting(), n)
			if v, ok := session[n]; ours && (!ok || e != n+"="+v) {
				t.Fatalf("%q reached the child", e)
			}
		}
		for n, count := range names {
			if count != 1 {
				t.Fatalf("%q is there %d times", n, count)
			}
		}
		for _, e := range parent {
			n := nameOf(e)
			if up := strings.ToUpper(n); !strings.HasPrefix(up, "CROSSROLE_") && !slices.Contains(Conflicting(), up) && !fold && names[n] == 0 {
				t.Fatalf("%q was lost", e)
			}
		}
	})
}
