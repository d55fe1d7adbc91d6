package main

// variable is one environment variable that crossrole reads. This registry
// feeds the docs, `doctor` and the masking of secrets.
type variable struct {
	Name    string
	Meaning string
	Secret  bool
}

// variables lists what is read besides CROSSROLE_<FLAG>.
var variables = []variable{
	{"AWS_PROFILE", "the profile when none is named", false},
	{"AWS_DEFAULT_PROFILE", "the same, if AWS_PROFILE is empty", false},
	{"AWS_CONFIG_FILE", "the config file, instead of ~/.aws/config", false},
	{"AWS_SHARED_CREDENTIALS_FILE", "the credentials file, instead of ~/.aws/credentials", false},
	{"AWS_REGION", "the region; beats the profile's", false},
	{"AWS_DEFAULT_REGION", "the same, if AWS_REGION is empty", false},
	{"AWS_ENDPOINT_URL_STS", "URL of STS, instead of AWS's own", false},
	{"AWS_ENDPOINT_URL", "URL of every service, instead of AWS's own", false},
	{"AWS_ENDPOINT_URL_IAM", "URL of IAM, for explain --live", false},
	{"AWS_ENDPOINT_URL_ORGANIZATIONS", "URL of Organizations, for explain --live and each --org", false},
	{"AWS_ENDPOINT_URL_SSO", "URL of IAM Identity Center's portal", false},
	{"AWS_ENDPOINT_URL_SSO_OIDC", "URL of IAM Identity Center's token service", false},
	{"AWS_ENDPOINT_URL_SIGNIN", "URL of the sign-in service of `aws login`", false},
	{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true: configured endpoint URLs are not used", false},
	{"AWS_STS_REGIONAL_ENDPOINTS", "regional (default) or legacy", false},
	{"AWS_USE_FIPS_ENDPOINT", "true: FIPS endpoints", false},
	{"AWS_USE_DUALSTACK_ENDPOINT", "true: dual-stack endpoints", false},
	{"AWS_CA_BUNDLE", "file of the certificates to trust", false},
	{"HTTPS_PROXY", "proxy for https; HTTP_PROXY and NO_PROXY likewise", true},
	{"AWS_ACCESS_KEY_ID", "key of the environment as a source", false},
	{"AWS_SECRET_ACCESS_KEY", "its secret", true},
	{"AWS_SESSION_TOKEN", "its session token", true},
	{"AWS_CREDENTIAL_EXPIRATION", "when those keys expire", false},
	{"AWS_ACCOUNT_ID", "the account of those keys", false},
	{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "where a container's credentials are", false},
	{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "the same, as a whole URL", false},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "token for that URL", true},
	{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "file with the token", false},
	{"AWS_EC2_METADATA_DISABLED", "true: instance metadata is never asked", false},
	{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "where instance metadata is", false},
	{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv4 or IPv6", false},
	{"AWS_ROLE_ARN", "role of AWS_WEB_IDENTITY_TOKEN_FILE", false},
	{"AWS_ROLE_SESSION_NAME", "session name of AWS_WEB_IDENTITY_TOKEN_FILE", false},
	{"AWS_WEB_IDENTITY_TOKEN_FILE", "file with a web identity token", false},
	{"AWS_LOGIN_CACHE_DIRECTORY", "where `aws login` keeps its tokens", false},
	{"ACTIONS_ID_TOKEN_REQUEST_URL", "where a GitHub job asks for its OIDC token", false},
	{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "what it asks with", true},
	{"GITHUB_ENV", "file that --format github appends to", false},
	{"HOME", "the home folder (USERPROFILE on Windows)", false},
	{"NO_COLOR", "set: no colour", false},
	{"CROSSROLE_CACHE", "how sessions are kept: auto (default), keyring, file or off", false},
	{"CROSSROLE_CACHE_DIR", "where they are kept, instead of crossrole in the user's cache folder", false},
	{"XDG_CACHE_HOME", "the user's cache folder", false},
	{"TERM", "dumb: no colour", false},
	{"CROSSROLE_PROCESS_CHAIN", "set for a credential_process, so that one that asks for itself is stopped", false},
	{"CROSSROLE_FEDERATION_URL", "federation endpoint of `console`, instead of AWS's own (https, or http on loopback)", false},
	{"SHELL", "the shell that `exec` starts without a command (COMSPEC on Windows)", false},
	{"PATH", "where `exec` looks for its command", false},
	{"XDG_RUNTIME_DIR", "where `serve` puts its token's file, if there is such a folder", false},
}
