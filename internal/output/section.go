package output

import "fmt"

// Property is one line of a section of the credentials file. It may hold a
// secret, which no print shows.
type Property struct{ Key, Value string }

// String names the property without its value.
func (p Property) String() string { return p.Key }

// Format hides the value from every verb of package fmt.
func (p Property) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.Key)) }

// MarshalText hides the value, in JSON and every other encoding.
func (p Property) MarshalText() ([]byte, error) { return []byte(p.Key), nil }

// Section lists what a section of the credentials file gets for a session, in
// this order, and which keys it must not keep from a session before. The names
// that begin with x_ are ours to choose; these two are what saml2aws writes, and
// what prompts (starship) already read. aws_security_token is the token's name
// of long ago: botocore prefers it to aws_session_token.
func Section(c Credentials) (set []Property, remove []string) {
	remove = []string{"aws_security_token"}
	for _, p := range []Property{
		{"aws_access_key_id", c.AccessKeyID},
		{"aws_secret_access_key", c.SecretAccessKey},
		{"aws_session_token", c.SessionToken},
		{"aws_account_id", c.AccountID},
		{"x_security_token_expires", c.expiration()},
		{"x_principal_arn", c.ARN},
	} {
		if p.Value == "" {
			remove = append(remove, p.Key)
		} else {
			set = append(set, p)
		}
	}
	if c.Region != "" { // one that is there already is the person's: it stays unless somebody chose another
		set = append(set, Property{"region", c.Region})
	}
	return set, remove
}
