package profile

import (
	"regexp"
	"strings"
	"sync"
)

// Key is a property that this program or the AWS CLI gives a meaning to.
type Key struct {
	Name    string
	Meaning string
	Secret  bool // its value is never shown
	Ours    bool // only crossrole knows it; the AWS CLI and the SDKs pass over it
}

// Keys lists the known properties in the order in which a reference shows them.
func Keys() []Key {
	return []Key{
		{Name: "role_arn", Meaning: "the role to assume"},
		{Name: "source_profile", Meaning: "the profile whose credentials assume it"},
		{Name: "credential_source", Meaning: "or where they come from: Environment, Ec2InstanceMetadata or EcsContainer"},
		{Name: "external_id", Meaning: "the external ID that the role's trust policy asks for"},
		{Name: "mfa_serial", Meaning: "serial number or ARN of the MFA device whose code is sent"},
		{Name: "mfa_process", Meaning: "a command that prints the code, instead of asking for it", Ours: true},
		{Name: "duration_seconds", Meaning: "how long the session lasts: 900 to 43200, in a chain at most 3600"},
		{Name: "role_session_name", Meaning: "the role session name (default crossrole-<who>)"},
		{Name: "source_identity", Meaning: "source identity to set", Ours: true},
		{Name: "session_tags", Meaning: "session tags, KEY=VALUE, with commas between them", Ours: true},
		{Name: "transitive_session_tags", Meaning: "keys of the session tags that later hops inherit", Ours: true},
		{Name: "session_policy_file", Meaning: "file with a session policy that narrows the session", Ours: true},
		{Name: "session_policy_arns", Meaning: "managed policies that narrow the session", Ours: true},
		{Name: "web_identity_token_file", Meaning: "file with the token that is exchanged for the role"},
		{Name: "web_identity_provider", Meaning: "github: the token of the GitHub job, without a file", Ours: true},
		{Name: "web_identity_audience", Meaning: "the audience of that token (default sts.amazonaws.com)", Ours: true},
		{Name: "region", Meaning: "the region, of STS and of the session's environment"},
		{Name: "sts_regional_endpoints", Meaning: "regional (default) or legacy"},
		{Name: "endpoint_url", Meaning: "URL of every service, instead of AWS's own"},
		{Name: "services", Meaning: "names the [services] section with an endpoint for each service"},
		{Name: "ignore_configured_endpoint_urls", Meaning: "true: configured endpoint URLs are not used"},
		{Name: "use_fips_endpoint", Meaning: "true: FIPS endpoints"},
		{Name: "use_dualstack_endpoint", Meaning: "true: dual-stack endpoints"},
		{Name: "ca_bundle", Meaning: "file of the certificates to trust"},
		{Name: "aws_access_key_id", Meaning: "a long-term or session key: the profile is a source"},
		{Name: "aws_secret_access_key", Meaning: "its secret", Secret: true},
		{Name: "aws_session_token", Meaning: "its session token", Secret: true},
		{Name: "aws_security_token", Meaning: "an old name of the session token", Secret: true},
		{Name: "aws_account_id", Meaning: "the account of that key"},
		{Name: "credential_process", Meaning: "a command that prints credentials: the profile is a source"},
		{Name: "sso_session", Meaning: "names the [sso-session] section of an IAM Identity Center source"},
		{Name: "sso_start_url", Meaning: "where to log in to IAM Identity Center"},
		{Name: "sso_region", Meaning: "the region of IAM Identity Center"},
		{Name: "sso_account_id", Meaning: "the account that IAM Identity Center gives a role of"},
		{Name: "sso_role_name", Meaning: "that role (permission set)"},
		{Name: "sso_registration_scopes", Meaning: "scopes of the login"},
		{Name: "login_session", Meaning: "a session of `aws login`: the profile is a source"},
		{Name: "x_security_token_expires", Meaning: "when the keys end; --write-profile records it, prompts read it"},
		{Name: "x_principal_arn", Meaning: "whose keys they are; --write-profile records it"},
		{Name: "aws_expiration", Meaning: "when the keys end, as other tools write it"},
		{Name: "output", Meaning: "for the AWS CLI"},
		{Name: "cli_pager", Meaning: "for the AWS CLI"},
		{Name: "s3", Meaning: "for the AWS CLI: a block of nested properties"},
		{Name: "retry_mode", Meaning: "for the AWS CLI and the SDKs"},
		{Name: "max_attempts", Meaning: "for the AWS CLI and the SDKs"},
		{Name: "defaults_mode", Meaning: "for the SDKs"},
	}
}

// knownKeys finds a known property by its name. Most runs ask for none.
var knownKeys = sync.OnceValue(func() map[string]Key {
	known := map[string]Key{}
	for _, key := range Keys() {
		known[key.Name] = key
	}
	return known
})

func known(name string) bool {
	_, ok := knownKeys()[name]
	return ok
}

// patterns are compiled when something is first shown: most runs show nothing.
var patterns = sync.OnceValue(func() (p struct{ name, value, url, flag *regexp.Regexp }) {
	p.name = regexp.MustCompile(`secret|token|passw|passphrase|private|credential|api_?key|auth|cookie|session_?key|\botp\b|seed`)
	p.value = regexp.MustCompile(`^[A-Za-z0-9/+]{40}$|^ey[A-Za-z0-9_-]{10,}\.`)
	p.url = regexp.MustCompile(`(://[^/@\s:]*):[^/@\s]+@`)
	p.flag = regexp.MustCompile(`(?i)((?:^|\s)--?[a-z0-9_-]*(?:secret|token|passw|passphrase|api-?key)[a-z0-9_-]*[= ]\s*)("[^"]*"|'[^']*'|\S+)`)
	return p
})

// shortestSecret is the length from which a value under an unknown name counts
// as a secret.
const shortestSecret = 6

// Masked stands where a secret was.
const Masked = "********"

// IsSecret tells whether a property's value must not be shown. Names nobody
// knows count as secret if they look like one.
func IsSecret(key string) bool {
	key = strings.ToLower(key)
	if k, ok := knownKeys()[key]; ok {
		return k.Secret
	}
	return patterns().name.MatchString(key)
}

// Mask gives what may be shown of a property's value: Masked for a secret,
// and else the value without the password of a URL or of a command's flag,
// and without the secrets of a nested block.
func Mask(key, value string) string {
	if nested, ok := strings.CutPrefix(value, "\n"); ok && !IsSecret(key) {
		lines := strings.Split(nested, "\n")
		for i, line := range lines {
			lines[i] = maskLine(line)
		}
		return "\n" + strings.Join(lines, "\n")
	}
	return maskValue(strings.ToLower(key), value)
}

func maskValue(key, value string) string {
	if value == "" {
		return value
	}
	if knownKeys()[key].Secret || !known(key) && len(value) >= shortestSecret && (IsSecret(key) || patterns().value.MatchString(value)) {
		return Masked
	}
	value = patterns().url.ReplaceAllString(value, "$1:"+Masked+"@")
	if strings.HasSuffix(key, "_process") {
		value = patterns().flag.ReplaceAllString(value, "${1}"+Masked)
	}
	return value
}
