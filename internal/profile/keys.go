package profile

import (
	"regexp"
	"strings"
	"sync"
)

// knownKeys are the properties that this program or the AWS CLI gives a
// meaning to. The value tells whether it is a secret.
var knownKeys = map[string]bool{
	"aws_access_key_id": false, "aws_secret_access_key": true, "aws_session_token": true,
	"aws_security_token": true, "aws_account_id": false,
	"role_arn": false, "source_profile": false, "credential_source": false, "external_id": false,
	"mfa_serial": false, "duration_seconds": false, "role_session_name": false,
	"web_identity_token_file": false, "credential_process": false,
	"sso_session": false, "sso_start_url": false, "sso_region": false, "sso_account_id": false,
	"sso_role_name": false, "sso_registration_scopes": false, "login_session": false,
	"region": false, "output": false, "sts_regional_endpoints": false, "endpoint_url": false,
	"ignore_configured_endpoint_urls": false, "services": false, "ca_bundle": false,
	"use_fips_endpoint": false, "use_dualstack_endpoint": false, "cli_pager": false,
	"retry_mode": false, "max_attempts": false, "s3": false, "defaults_mode": false,
	"source_identity": false, "session_tags": false, "transitive_session_tags": false,
	"session_policy_file": false, "session_policy_arns": false, "mfa_process": false,
	"web_identity_provider": false, "web_identity_audience": false,
	"x_security_token_expires": false, "x_principal_arn": false, "aws_expiration": false,
}

func known(key string) bool {
	_, ok := knownKeys[key]
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
	if secret, ok := knownKeys[key]; ok {
		return secret
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
	if knownKeys[key] || !known(key) && len(value) >= shortestSecret && (IsSecret(key) || patterns().value.MatchString(value)) {
		return Masked
	}
	value = patterns().url.ReplaceAllString(value, "$1:"+Masked+"@")
	if strings.HasSuffix(key, "_process") {
		value = patterns().flag.ReplaceAllString(value, "${1}"+Masked)
	}
	return value
}
