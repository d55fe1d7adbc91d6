package each

import (
	"strings"
	"testing"
)

// A warning is told once, with whom it is about or how many, however often it
// comes.
func TestWarnings(t *testing.T) {
	var w Warnings
	for _, profile := range []string{"a", "b", "a", "c\x1b"} {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			w.Add(Target{Profile: profile, Region: region}, []string{"too long"})
		}
	}
	w.Add(Target{Profile: "c\x1b"}, []string{"alone", "hostile\x07"})
	w.Add(Target{Profile: "d"}, nil)
	var b strings.Builder
	w.Write(&b)
	const want = `crossrole: warning: 3 profiles: too long
crossrole: warning: profile "c\x1b": alone
crossrole: warning: profile "c\x1b": "hostile\a"
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}
