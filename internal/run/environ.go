// Package run is the child: its environment, its start, its signals and its
// exit status.
package run

import (
	"maps"
	"slices"
	"strings"
)

// own is the prefix of the variables that are ours; none reaches a child.
const own = "CROSSROLE_"

// conflicting are the variables from which the AWS CLI or an SDK takes
// credentials or decides where to look for them. One that stays behind can win
// over the session: a profile or role of before, or half of an old group of keys.
var conflicting = []string{
	"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SECURITY_TOKEN", // older SDKs' names
	"AWS_CREDENTIAL_EXPIRATION", "AWS_SESSION_EXPIRATION", "AWS_ACCOUNT_ID",
	"AWS_CREDENTIAL_FILE", // boto's before there was a shared file; botocore still reads it
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	bearerToken + "BEDROCK",
}

// bearerToken begins the names of service keys (AWS_BEARER_TOKEN_BEDROCK is the
// first there is): SDKs send one instead of signing with the session.
const bearerToken = "AWS_BEARER_TOKEN_"

// Conflicting lists the variables that no child keeps from its parent, because
// an AWS client could take other credentials than the session's from them.
func Conflicting() []string { return slices.Clone(conflicting) }

// Environ makes a child's environment: the parent's list without the variables
// that conflict with a session and without any of ours, and then the session's
// own. A name is there once: of a parent's duplicates the first counts, as for
// getenv. With foldCase names are compared as Windows does.
func Environ(parent []string, session map[string]string, foldCase bool) []string {
	fold := func(name string) string {
		if foldCase {
			return strings.ToUpper(name)
		}
		return name
	}
	seen := make(map[string]bool, len(parent))
	for _, name := range conflicting {
		seen[name] = true
	}
	for name := range session {
		seen[fold(name)] = true
	}
	env := make([]string, 0, len(parent)+len(session))
	for _, entry := range parent {
		name := fold(nameOf(entry))
		if seen[name] || strings.HasPrefix(name, own) || strings.HasPrefix(name, bearerToken) {
			continue
		}
		seen[name] = true
		env = append(env, entry)
	}
	for _, name := range slices.Sorted(maps.Keys(session)) {
		env = append(env, name+"="+session[name])
	}
	return env
}

// nameOf is what stands before the "=". Windows keeps each drive's folder in
// variables whose names begin with one, such as "=C:".
func nameOf(entry string) string {
	if i := strings.Index(entry[min(1, len(entry)):], "="); i >= 0 {
		return entry[:i+1]
	}
	return entry
}
