// Package profile reads ~/.aws/config and ~/.aws/credentials the way the AWS
// CLI does, resolves a profile's name to a chain (a source and its hops), and
// edits one section of a file without touching the rest. It remembers where
// every value came from, and never uses the network.
package profile

import "strconv"

// Origin says where a value was read: a line of a file, or a variable of the
// environment. The zero Origin belongs to a value nobody wrote.
type Origin struct {
	File string // path as opened; empty for the environment
	Line int    // 1-based
	Env  string // name of the environment variable, if it came from there
}

// String gives file:line, $NAME, or "default".
func (o Origin) String() string {
	switch {
	case o.Env != "":
		return "$" + o.Env
	case o.File != "":
		return o.File + ":" + strconv.Itoa(o.Line)
	default:
		return "default"
	}
}

// Value is one setting with its origin. A Value of a zero Origin is unset.
type Value struct {
	Text   string
	Origin Origin
}

// IsSet tells a value that was written, even as an empty text, from none.
func (v Value) IsSet() bool { return v.Origin != Origin{} }

// Pair is a named value, such as a session tag.
type Pair struct {
	Key   string
	Value Value
}

// Profile is one named profile: the merged sections of both files.
type Profile struct {
	Name       string
	Sections   []Origin                    // every header that defines it
	Properties map[string]Value            // lower-cased key to value
	Nested     map[string]map[string]Value // the indented lines under an empty value

	keysInCredentials bool    // the static keys are the credentials file's
	unused            []Value // key names and places of static keys that the other file's replace
}

// Get returns the property, or an unset Value.
func (p *Profile) Get(key string) Value { return p.Properties[key] }

// SourceKind names what a chain starts from. The texts are part of the JSON
// that list and show print.
type SourceKind string

// The kinds of source.
const (
	SourceStatic      SourceKind = "static"                // aws_access_key_id and friends in a profile
	SourceEnvironment SourceKind = "environment"           // AWS_ACCESS_KEY_ID and friends
	SourceEC2         SourceKind = "ec2_instance_metadata" // credential_source = Ec2InstanceMetadata
	SourceContainer   SourceKind = "ecs_container"         // credential_source = EcsContainer
	SourceProcess     SourceKind = "credential_process"
	SourceSSO         SourceKind = "sso_session" // sso_session and legacy sso_*
	SourceLogin       SourceKind = "login_session"
	SourceWebIdentity SourceKind = "web_identity" // a token file and a role_arn
	SourceGitHub      SourceKind = "github_oidc"  // GitHub's OIDC request variables and a role_arn
)

// Source is what a chain starts from. Web identity sources carry the role
// that the token is exchanged for in Role.
type Source struct {
	Kind    SourceKind
	Profile string // the profile that holds it; empty for the environment alone
	// Properties are the source profile's own (secrets included).
	Properties map[string]Value
	// SSO holds the [sso-session] section's properties, if one is named.
	SSO map[string]Value
	// Role is set for web identity: role_arn, session name, duration and
	// policies of AssumeRoleWithWebIdentity.
	Role *Hop
}

// Hop is one AssumeRole call as the profile writes it, unchecked.
type Hop struct {
	Profile         string
	RoleARN         Value
	ExternalID      Value
	MFASerial       Value
	MFAProcess      Value
	SessionName     Value
	DurationSeconds Value
	SourceIdentity  Value
	SessionTags     []Pair
	TransitiveTags  []Value
	PolicyFile      Value
	PolicyARNs      []Value
}

// Settings are the values that hold for every hop, from the environment, the
// named profile, and (region only) its sources in order.
type Settings struct {
	Region            Value
	RegionalEndpoints Value // sts_regional_endpoints: "regional" or "legacy"
	Endpoint          Value // the STS endpoint URL that wins, if any is configured
	CABundle          Value
	UseFIPS           Value
	UseDualstack      Value
}

// Chain is what a profile's name resolves to: a source and its hops, in the
// order of the calls.
type Chain struct {
	Name     string
	Source   Source
	Hops     []Hop
	Settings Settings
	// Properties are the named profile's own, unknown keys included.
	Properties map[string]Value
}
