package explain

import "testing"

func TestUnknowable(t *testing.T) {
	for key, want := range map[string]bool{
		"aws:SourceIp": true, "AWS:SOURCEIP": true, "aws:PrincipalTag/team": true, "aws:PrincipalTag": false, "sts:ExternalId": false,
		"aws:SourceIp/x": false, "aws:MultiFactorAuthPresent": false, "": false,
	} {
		if got := unknowable(key); got != want {
			t.Errorf("%q: %v", key, got)
		}
	}
}
