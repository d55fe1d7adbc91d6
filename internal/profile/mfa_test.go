package profile

import "testing"

func TestSharesMFA(t *testing.T) {
	const serial = "arn:aws:iam::111111111111:mfa/u"
	one := "[profile a]\nmfa_serial = " + serial + "\n"
	for text, want := range map[string]bool{
		"":  false,
		one: false,
		one + "[profile b]\nmfa_serial=" + serial + "\n": true,
	} {
		s := &Set{config: newDocument("config", configFile, []byte(text)), credentials: newDocument("credentials", credentialsFile, nil)}
		if got := s.SharesMFA(serial); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
