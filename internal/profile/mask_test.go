package profile

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"aws_secret_access_key", "x", Masked},
		{"AWS_Session_Token", "x", Masked},
		{"aws_security_token", "x", Masked},
		{"aws_access_key_id", "AKIAEXAMPLE", "AKIAEXAMPLE"},
		{"web_identity_token_file", "/var/token", "/var/token"},
		{"my_password", "hunter2", Masked},
		{"some_api_key", "abcdef123", Masked},
		{"secret", "no", "no"}, // too short to be one, and nobody's
		{"unknown", "plain text", "plain text"},
		{"unknown", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Masked},
		{"external_id", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		{"endpoint_url", "https://u:p4ss@host/x", "https://u:" + Masked + "@host/x"},
		{"credential_process", "/bin/x --password 'a b' --user c", "/bin/x --password " + Masked + " --user c"},
		{"credential_process", "/bin/x --client-secret=abc", "/bin/x --client-secret=" + Masked},
		{"s3", "\nmax = 1\npassword = hunter2", "\nmax = 1\npassword = " + Masked},
		{"aws_secret_access_key", "", ""},
	} {
		if got := Mask(c.key, c.value); got != c.want {
			t.Errorf("Mask(%q, %q) is %q, want %q", c.key, c.value, got, c.want)
		}
	}
}

func TestDiffMasks(t *testing.T) {
	before := "[a]\naws_secret_access_key = SHH-old\n# aws_secret_access_key = SHH-older\nregion = x\nnote = SHH\n  SHH-more\n"
	after, err := editText([]byte(before), credentialsFile, "a", Edit{Set: []Setting{
		{"aws_secret_access_key", "SHH-new"}, {"aws_session_token", "SHH-token"}, {"region", "y"},
	}, Remove: []string{"note"}})
	if err != nil {
		t.Fatal(err)
	}
	diff := EditResult{Path: "p", Before: []byte(before), After: after}.Diff()
	for _, want := range []string{"-aws_secret_access_key = " + Masked, "+aws_session_token = " + Masked, "-region = x\n", "+region = y\n", "-  note"} {
		if !strings.Contains(diff, strings.TrimPrefix(want, "-  ")) {
			t.Errorf("the diff has no %q:\n%s", want, diff)
		}
	}
	if strings.Contains(strings.ReplaceAll(diff, "note = SHH\n", ""), "SHH") {
		t.Errorf("the diff shows a secret:\n%s", diff)
	}
}
