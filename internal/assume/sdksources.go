package assume

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os/exec"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// processProvider runs credential_process by the shell, as the Go SDK does. Its
// stderr is not shown unless it fails in a way we can name: it may hold
// anything.
func (r *Runner) processProvider(s profile.Source) aws.CredentialsProvider {
	command := s.Properties["credential_process"].Text
	printed := &atMost{left: maxPrinted}
	process := processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(func(ctx context.Context) (*exec.Cmd, error) {
		cmd := r.shell(ctx, command)
		chain := strings.TrimPrefix(r.deps.Getenv(chainVariable)+","+digest(s.Profile)[:16], ",")
		cmd.Env = append(cmd.Environ(), chainVariable+"="+chain)
		cmd.Stdout = printed // the SDK adds its own reader, which has no limit
		return cmd, nil
	}), func(o *processcreds.Options) { o.Timeout = r.deps.Timeout })
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := process.Retrieve(ctx)
		if printed.full {
			return aws.Credentials{}, errPrintsTooMuch
		}
		return c, err
	})
}

// ssoSession exchanges the token that `aws sso login` left in its cache.
func (r *Runner) ssoSession(ctx context.Context, s profile.Source) (Session, error) {
	region, start := s.Properties["sso_region"].Text, s.Properties["sso_start_url"].Text
	var tokens *ssocreds.SSOTokenProvider
	key := start
	if name := s.Properties["sso_session"].Text; name != "" {
		region, start, key = s.SSO["sso_region"].Text, s.SSO["sso_start_url"].Text, name
	}
	path, err := ssocreds.StandardCachedTokenFilepath(key)
	if err != nil {
		return Session{}, sourceError(s, "there is no home folder with a token cache", err)
	}
	if s.SSO != nil {
		tokens = ssocreds.NewSSOTokenProvider(ssooidc.New(ssooidc.Options{
			Region: region, HTTPClient: r.http, Retryer: newRetryer(),
			BaseEndpoint: r.endpoint("SSO_OIDC"),
		}), path)
	}
	client := sso.New(sso.Options{Region: region, HTTPClient: r.http, Retryer: newRetryer(), BaseEndpoint: r.endpoint("SSO")})
	return r.retrieve(ctx, s, ssocreds.New(client, s.Properties["sso_account_id"].Text, s.Properties["sso_role_name"].Text, start,
		func(o *ssocreds.Options) {
			o.CachedTokenFilepath = path
			if tokens != nil {
				o.SSOTokenProvider = tokens
			}
		}))
}

// endpoint is a service's URL, where the environment names one.
func (r *Runner) endpoint(service string) *string {
	if strings.EqualFold(r.deps.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return nil
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_" + service, "AWS_ENDPOINT_URL"} {
		if text := r.deps.Getenv(name); text != "" {
			return &text
		}
	}
	return nil
}

// loginSession uses and refreshes the token that `aws login` left.
func (r *Runner) loginSession(ctx context.Context, s profile.Source) (Session, error) {
	path, err := logincreds.StandardCachedTokenFilepath(s.Properties["login_session"].Text, r.deps.Getenv("AWS_LOGIN_CACHE_DIRECTORY"))
	if err != nil {
		return Session{}, sourceError(s, "there is no home folder with a login cache", err)
	}
	region := s.Properties["region"].Text
	if region == "" {
		region = "us-east-1"
	}
	client := signin.New(signin.Options{Region: region, HTTPClient: r.http, Retryer: newRetryer(), BaseEndpoint: r.endpoint("SIGNIN")})
	return r.retrieve(ctx, s, logincreds.New(client, path, func(o *logincreds.Options) { o.RestrictPermissions = true }))
}

// ecsHost serves the relative URI of a container's credentials.
const ecsHost = "http://169.254.170.2"

// containerSession asks the endpoint that the container's environment names.
// Source: AWS SDKs and tools reference, "Container credential provider".
func (r *Runner) containerSession(ctx context.Context, s profile.Source) (Session, error) {
	at := r.deps.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := r.deps.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		at = ecsHost + relative
	}
	if at == "" {
		return Session{}, sourceError(s, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are both unset: is this a container of ECS or EKS?", nil)
	}
	if err := checkContainerURI(at); err != nil {
		return Session{}, sourceError(s, "AWS_CONTAINER_CREDENTIALS_FULL_URI "+err.Error(), nil)
	}
	return r.retrieve(ctx, s, endpointcreds.New(at, func(o *endpointcreds.Options) {
		o.HTTPClient, o.Retryer = r.http, newRetryer()
		o.AuthorizationToken = r.deps.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := r.deps.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				raw, err := readToken(file)
				return string(raw), err
			})
		}
	}))
}

// checkContainerURI lets plain http go to this machine and AWS's own link-local
// addresses only.
func checkContainerURI(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return errors.New("is no URL")
	}
	if u.Scheme == "https" {
		return nil
	}
	switch host := u.Hostname(); {
	case u.Scheme != "http":
		return errors.New("is neither http nor https")
	case host == "169.254.170.2", host == "169.254.170.23", host == "fd00:ec2::23", host == "localhost":
		return nil
	default:
		if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
			return nil
		}
		return errors.New("is plain http to a host that is neither this machine nor AWS's")
	}
}

// ec2Session asks the instance's metadata, with the SDK's own reading of
// AWS_EC2_METADATA_* and the profile's ec2_metadata_* keys.
func (r *Runner) ec2Session(ctx context.Context, s profile.Source) (Session, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))
	if err != nil {
		return Session{}, sourceError(s, "the environment's AWS_EC2_METADATA_* settings can't be used: "+oneLine(err.Error()), err)
	}
	client := imds.NewFromConfig(cfg, func(o *imds.Options) {
		if at := s.Properties["ec2_metadata_service_endpoint"].Text; at != "" && r.deps.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") == "" {
			o.Endpoint = at
		}
	})
	return r.retrieve(ctx, s, ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = client }))
}

// explainSource names what went wrong by the error's type, never by its text.
func (r *Runner) explainSource(s profile.Source, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch s.Kind {
	case profile.SourceSSO:
		return explainLogin(s, ssoLogin(s), err)
	case profile.SourceLogin:
		return explainLogin(s, "aws login --profile "+word.Shell(s.Profile), err)
	case profile.SourceProcess:
		return explainProcess(s, err)
	default:
		return &SourceError{Profile: s.Profile, Kind: s.Kind, Why: "it gave none: " + oneLine(rootOf(err).Error()), Err: err}
	}
}

func ssoLogin(s profile.Source) string {
	if name := s.Properties["sso_session"].Text; name != "" {
		return "aws sso login --sso-session " + word.Shell(name)
	}
	return "aws sso login --profile " + word.Shell(s.Profile)
}

// explainLogin tells a login that is over from a call that failed.
func explainLogin(s profile.Source, login string, err error) error {
	var api smithy.APIError
	var invalid *ssocreds.InvalidTokenError
	var dns *net.OpError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "ForbiddenException":
		return &DeniedError{
			Action: "sso:GetRoleCredentials", RoleARN: s.Properties["sso_role_name"].Text + " in account " + s.Properties["sso_account_id"].Text,
			Profile: s.Profile, Code: api.ErrorCode(), Message: api.ErrorMessage(), Err: err,
		}
	case errors.As(err, &api) && api.ErrorFault() == smithy.FaultServer, errors.As(err, &dns):
		return &SourceError{Profile: s.Profile, Kind: s.Kind, Why: "AWS did not answer: " + oneLine(rootOf(err).Error()), Err: err}
	case errors.As(err, &invalid) && errors.Is(invalid.Err, fs.ErrNotExist), errors.Is(err, fs.ErrNotExist):
		return loginNeeded(s, "nobody has logged in yet", login, err)
	default:
		return loginNeeded(s, "the login has expired or can't be used", login, err)
	}
}

func loginNeeded(s profile.Source, why, login string, err error) error {
	return &PersonError{
		Doing: "getting source credentials (" + string(s.Kind) + ") of profile " + quoted(s.Profile), Why: why,
		Advice: []string{"log in: " + login}, Err: err,
	}
}

// explainProcess keeps what the process printed out of the error.
func explainProcess(s profile.Source, err error) error {
	e := &SourceError{
		Profile: s.Profile, Kind: s.Kind, Why: "its output is not the JSON that credential_process must print",
		Advice: []string{"run the command by hand; its output must have Version 1, AccessKeyId and SecretAccessKey"},
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errPrintsTooMuch):
		e.Why = errPrintsTooMuch.Error()
	case errors.Is(err, exec.ErrWaitDelay):
		e.Why = "the command ended and left another behind that keeps its output open"
		e.Advice = []string{"what the command leaves running must not hold its stdout"}
	case errors.As(err, &exit):
		e.Why = "the command ended with " + exit.String()
		e.Advice = []string{"run the command by hand to see what it says"}
	}
	return e
}
