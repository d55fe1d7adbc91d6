package localsts

import (
	"bytes"
	"embed"
)

//go:embed example/*.json
var exampleFiles embed.FS

// The long-term keys and the MFA device of Example's users. They are worth nothing anywhere else.
const (
	ExampleKeyID      = "AKIAEXAMPLE0ASAN0001" // A-san, who may assume what the target account trusts
	ExampleSecret     = "example-secret-of-A-san"
	ExampleMFASerial  = "arn:aws:iam::111111111111:mfa/A-san"
	ExampleMFASeed    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	ExampleOtherKeyID = "AKIAEXAMPLE0BSAN0001" // B-san, who may assume nothing
	ExampleOtherKey   = "example-secret-of-B-san"
)

// Example is two accounts. 111111111111 has the users A-san (with an MFA device) and B-san and the role Hop;
// 222222222222 has roles that show one thing each: Open (any principal of 111111111111), Short (as Open, an hour at
// most), ExternalID (demands ExternalId123), MFA (demands MFA), FromHop (lets the role Hop in), Tagged (takes tags and a source
// identity) and CI (a GitHub-like identity provider).
func Example() []*Account {
	var out []*Account
	for _, name := range []string{"caller", "target"} {
		b, err := exampleFiles.ReadFile("example/" + name + ".json")
		if err != nil {
			panic(err) // embedded
		}
		a, err := LoadAccount(bytes.NewReader(b), "")
		if err != nil {
			panic(err) // embedded, and a test loads it
		}
		out = append(out, a)
	}
	return out
}
