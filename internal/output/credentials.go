// Package output writes a session for whoever needs it: lines for a shell, JSON
// for an SDK, a section of the credentials file, variables for a CI job. It
// returns text and does no I/O; it alone spells secrets out.
package output

import (
	"fmt"
	"log/slog"
	"time"
)

// Credentials are what is written. No print, log or marshaller shows them: only
// the functions of this package do.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty for long-term keys
	Expires         time.Time // zero when they do not expire
	Region          string    // empty when nobody chose one
	RegionWasThere  bool      // the environment had the region already: it outlives the session
	Profile         string    // the profile they were made for; may be empty
	AccountID       string    // 12 digits; empty when unknown
	ARN             string    // of the session; empty when unknown
}

// String names the credentials without their secrets.
func (c Credentials) String() string {
	who := c.ARN
	if who == "" {
		who = c.AccessKeyID
	}
	return fmt.Sprintf("credentials of %q", who)
}

// Format hides the secrets from every verb of package fmt.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// GoString hides the secrets.
func (c Credentials) GoString() string { return c.String() }

// LogValue hides the secrets.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText hides the secrets, in JSON and every other encoding.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// expiration is the end of the session as every SDK reads it: RFC 3339 in UTC
// with a Z, cut to whole seconds so that it is never later than the truth. It
// is empty when there is none.
func (c Credentials) expiration() string {
	if c.Expires.IsZero() {
		return ""
	}
	return c.Expires.UTC().Format("2006-01-02T15:04:05Z")
}

// Variable is one variable of an environment: to be set, or to be taken away.
// It may hold a secret, which no print shows.
type Variable struct {
	Name  string
	Value string
	Unset bool // take it away; Value is empty
}

// String names the variable without its value.
func (v Variable) String() string { return v.Name }

// Format hides the value from every verb of package fmt.
func (v Variable) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.Name)) }

// MarshalText hides the value, in JSON and every other encoding.
func (v Variable) MarshalText() ([]byte, error) { return []byte(v.Name), nil }

// rivals are variables that would contradict the session's. AWS_SECURITY_TOKEN
// is the token's name of long ago, and botocore prefers it to
// AWS_SESSION_TOKEN; AWS_SESSION_EXPIRATION is what older tools and prompts
// call AWS_CREDENTIAL_EXPIRATION.
var rivals = []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_SESSION_EXPIRATION"}

// Variables lists the environment of the session in a fixed order: first what
// is set, then what is taken away because it would contradict it. A region that
// nobody chose is left as it is. AWS_ACCOUNT_ID is there because SDKs make
// endpoints of it: one of another session would lead to another account.
func Variables(c Credentials) []Variable {
	known := []Variable{
		{Name: "AWS_ACCESS_KEY_ID", Value: c.AccessKeyID},
		{Name: "AWS_SECRET_ACCESS_KEY", Value: c.SecretAccessKey},
		{Name: "AWS_SESSION_TOKEN", Value: c.SessionToken, Unset: c.SessionToken == ""},
		{Name: "AWS_CREDENTIAL_EXPIRATION", Value: c.expiration(), Unset: c.Expires.IsZero()},
		{Name: "AWS_ACCOUNT_ID", Value: c.AccountID, Unset: c.AccountID == ""},
		{Name: "CROSSROLE_PROFILE", Value: c.Profile, Unset: c.Profile == ""},
	}
	if c.Region != "" {
		known = append(known, Variable{Name: "AWS_REGION", Value: c.Region}, Variable{Name: "AWS_DEFAULT_REGION", Value: c.Region})
	}
	var set, unset []Variable
	for _, v := range known {
		if v.Unset {
			unset = append(unset, v)
		} else {
			set = append(set, v)
		}
	}
	for _, name := range rivals {
		unset = append(unset, Variable{Name: name, Unset: true})
	}
	return append(set, unset...)
}

// regionMark tells the next crossrole in the same shell which AWS_REGION is only
// the session's: it must not decide about another profile's.
const regionMark = "CROSSROLE_SESSION_REGION"

// shellVariables are those of a session in a shell, where others may follow.
func shellVariables(c Credentials) []Variable {
	mark := Variable{Name: regionMark, Unset: true}
	if c.Region != "" && !c.RegionWasThere {
		mark = Variable{Name: regionMark, Value: c.Region}
	}
	return append(Variables(c), mark)
}

// SessionRegion tells whether a region that the environment has is only that of
// a session which crossrole put there.
func SessionRegion(getenv func(string) string, region string) bool {
	return region != "" && getenv("CROSSROLE_PROFILE") != "" && getenv(regionMark) == region
}

// split parts the variables into those to set and the names to take away.
func split(variables []Variable) (set []Variable, unset []string) {
	for _, v := range variables {
		if v.Unset {
			unset = append(unset, v.Name)
		} else {
			set = append(set, v)
		}
	}
	return set, unset
}
