package assume

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"crossrole/internal/profile"
)

// source is the provider of what the chain starts from. Each kind is read by
// the SDK's own provider; the chain itself is never left to the SDK.
func (r *Runner) source(plan Plan) Provider {
	s := plan.Source
	return ProviderFunc(func(ctx context.Context) (Session, error) {
		if err := r.ready(); err != nil {
			return Session{}, err
		}
		var out Session
		err := within(ctx, r.deps.Timeout, func(ctx context.Context) (err error) {
			out, err = r.readSource(ctx, s)
			return err
		})
		var timeout *TimeoutError
		if errors.As(err, &timeout) {
			err = sourceError(s, timeout.Error(), err)
		}
		return out, err
	})
}

func (r *Runner) readSource(ctx context.Context, s profile.Source) (Session, error) {
	switch s.Kind {
	case profile.SourceStatic:
		return staticSession(s)
	case profile.SourceEnvironment:
		return r.environmentSession(s)
	case profile.SourceWebIdentity, profile.SourceGitHub:
		return Session{}, nil // the exchange is unsigned
	case profile.SourceProcess:
		return r.retrieve(ctx, s, r.processProvider(s))
	case profile.SourceSSO:
		return r.ssoSession(ctx, s)
	case profile.SourceLogin:
		return r.loginSession(ctx, s)
	case profile.SourceContainer:
		return r.containerSession(ctx, s)
	case profile.SourceEC2:
		return r.ec2Session(ctx, s)
	default:
		return Session{}, sourceError(s, "this kind of source is unknown", nil)
	}
}

func sourceError(s profile.Source, why string, err error) error {
	return &SourceError{Profile: s.Profile, Kind: s.Kind, Why: why, Err: err}
}

// staticSession takes the keys as the profile has them.
func staticSession(s profile.Source) (Session, error) {
	out := Session{
		AccessKeyID:     s.Properties["aws_access_key_id"].Text,
		SecretAccessKey: NewSecret(s.Properties["aws_secret_access_key"].Text),
		SessionToken:    NewSecret(s.Properties["aws_session_token"].Text),
		AccountID:       s.Properties["aws_account_id"].Text,
	}
	if old := s.Properties["aws_security_token"].Text; old != "" { // the AWS CLI prefers the older name
		out.SessionToken = NewSecret(old)
	}
	if text := s.Properties["x_security_token_expires"].Text; text != "" && out.SessionToken.IsSet() {
		out.Expires = parseExpiry(text)
	}
	return out, nil
}

// environmentSession takes the keys of AWS_ACCESS_KEY_ID and its friends.
func (r *Runner) environmentSession(s profile.Source) (Session, error) {
	env := r.deps.Getenv
	out := Session{
		AccessKeyID:     env("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: NewSecret(env("AWS_SECRET_ACCESS_KEY")),
		SessionToken:    NewSecret(env("AWS_SESSION_TOKEN")),
		AccountID:       env("AWS_ACCOUNT_ID"),
	}
	if out.AccessKeyID == "" || !out.SecretAccessKey.IsSet() {
		return Session{}, &SourceError{
			Profile: s.Profile, Kind: s.Kind, Why: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
			Advice: []string{"export both, or name a source_profile"},
		}
	}
	out.Expires = parseExpiry(env("AWS_CREDENTIAL_EXPIRATION"))
	return out, nil
}

func parseExpiry(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// retrieve asks an SDK provider. Its error text is never passed on: that of a
// credential_process holds whatever the process printed.
func (r *Runner) retrieve(ctx context.Context, s profile.Source, p aws.CredentialsProvider) (Session, error) {
	c, err := survive(ctx, p)
	if err != nil {
		return Session{}, r.explainSource(s, err)
	}
	out := Session{
		AccessKeyID:     c.AccessKeyID,
		SecretAccessKey: NewSecret(c.SecretAccessKey),
		SessionToken:    NewSecret(c.SessionToken),
		AccountID:       c.AccountID,
	}
	if c.CanExpire {
		out.Expires = c.Expires.UTC()
		if left := out.LeftAt(r.deps.Now()); left <= 0 {
			return Session{}, sourceError(s, "what it gave has expired at "+out.Expires.Format(time.RFC3339), nil)
		}
	}
	return out, nil
}

// errBroken is a provider that fell over what it read: that of `aws login` does
// over a token whose key is no key.
var errBroken = errors.New("what is kept of it is broken")

// survive asks a provider and turns a panic of it into an error.
func survive(ctx context.Context, p aws.CredentialsProvider) (c aws.Credentials, err error) {
	defer func() {
		if recover() != nil {
			err = errBroken
		}
	}()
	return p.Retrieve(ctx)
}

// sourceKey is the identity of the plan's source, with what only the
// environment tells about it.
func (r *Runner) sourceKey(plan Plan) Fingerprint {
	return sourceFingerprint(plan.Source, plan.Where, r.subject(plan.Source))
}

func (r *Runner) subject(s profile.Source) []string {
	switch s.Kind {
	case profile.SourceEnvironment:
		return []string{r.deps.Getenv("AWS_ACCESS_KEY_ID"), digest(r.deps.Getenv("AWS_SESSION_TOKEN"))}
	case profile.SourceContainer:
		return append(r.envs("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"), thisMachine())
	case profile.SourceEC2:
		return append(r.envs("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), thisMachine())
	case profile.SourceGitHub:
		return r.envs("GITHUB_REPOSITORY", "GITHUB_REF", "GITHUB_WORKFLOW", "GITHUB_RUN_ID", "GITHUB_JOB", "ACTIONS_ID_TOKEN_REQUEST_URL")
	case profile.SourceWebIdentity:
		token, err := r.webToken(context.Background(), s)
		if err != nil {
			return []string{"unread"}
		}
		return subjectOf(token)
	default:
		return nil
	}
}

// thisMachine tells machines apart that share a home folder: what these sources
// give belongs to the machine.
func thisMachine() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

func (r *Runner) envs(names ...string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = r.deps.Getenv(name)
	}
	return out
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// checkEnvironment stops what would call itself for ever.
func (r *Runner) checkEnvironment(plan Plan) error {
	if plan.Source.Kind != profile.SourceProcess {
		return nil
	}
	for _, name := range strings.Split(r.deps.Getenv(chainVariable), ",") {
		if name == digest(plan.Source.Profile)[:16] {
			return sourceError(plan.Source, "its credential_process asks for this same profile again, without end", nil)
		}
	}
	return nil
}

// chainVariable lists the profiles whose credential_process is running, as
// digests, so that one that asks for itself is stopped.
const chainVariable = "CROSSROLE_PROCESS_CHAIN"
