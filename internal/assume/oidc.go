package assume

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"crossrole/internal/profile"
)

// defaultAudience is what AWS's OIDC provider for GitHub expects.
const defaultAudience = "sts.amazonaws.com"

// maxToken is STS's limit for a web identity token.
const maxToken = 20000

// webIdentityStep exchanges a token for the role's session; it is unsigned, so
// the caller's session is not used.
func (r *Runner) webIdentityStep(plan Plan, key Fingerprint) Step {
	call := *plan.Exchange
	at := place{call: &call, what: "sts:AssumeRoleWithWebIdentity", hop: 1, hops: 1}
	return Step{
		Key: key, Kind: "web identity", Profile: call.Profile, RoleARN: call.Role.String(), Asked: call.Duration,
		Exchange: func(ctx context.Context, _ Session) (Session, error) {
			token, err := r.webToken(ctx, plan.Source)
			if err != nil {
				return Session{}, err
			}
			var out *sts.AssumeRoleWithWebIdentityOutput
			err = within(ctx, r.deps.Timeout, func(ctx context.Context) (err error) {
				out, err = r.sts.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
					RoleArn: aws.String(call.Role.String()), RoleSessionName: &call.SessionName,
					WebIdentityToken: aws.String(token.Reveal()), DurationSeconds: call.durationOrNil(),
					Policy: textOrNil(call.Policy), PolicyArns: call.policyTypes(),
				}, unsigned)
				return err
			})
			r.logCall(at, err)
			if err != nil {
				return Session{}, at.explain(err)
			}
			r.noticeSkew(out.ResultMetadata)
			s, err := sessionOf(out.Credentials, out.AssumedRoleUser, out.SourceIdentity, at)
			return r.checked(s, err, out.ResultMetadata, at)
		},
	}
}

// webToken reads the token where the source says it is.
func (r *Runner) webToken(ctx context.Context, s profile.Source) (Secret, error) {
	if s.Kind == profile.SourceGitHub {
		return r.githubToken(ctx, s)
	}
	file := s.Properties["web_identity_token_file"].Text
	raw, err := readToken(file)
	if err != nil {
		return Secret{}, sourceError(s, "reading the token file "+quoted(file)+": "+describe(err), err)
	}
	return checkToken(s, strings.TrimSpace(string(raw)))
}

// readToken reads as much of a file as a token may have, and a little more, so that one that is too long shows as such.
func readToken(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(file, 2*maxToken))
	return raw, errors.Join(err, file.Close())
}

func checkToken(s profile.Source, text string) (Secret, error) {
	if len(text) < 4 || len(text) > maxToken {
		return Secret{}, sourceError(s, fmt.Sprintf("the web identity token has %d characters; STS takes 4 to %d", len(text), maxToken), nil)
	}
	return NewSecret(text), nil
}

// githubToken asks GitHub for a job's token.
// Source: GitHub docs, "OpenID Connect reference", requesting the JWT.
func (r *Runner) githubToken(ctx context.Context, s profile.Source) (Secret, error) {
	base, bearer := r.deps.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), r.deps.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if base == "" || bearer == "" {
		return Secret{}, &SourceError{
			Profile: s.Profile, Kind: s.Kind, Why: "the job has no OIDC request variables",
			Advice: []string{"give the job `permissions: id-token: write`"},
		}
	}
	audience := s.Properties["web_identity_audience"].Text
	if audience == "" {
		audience = defaultAudience
	}
	var token Secret
	err := within(ctx, r.deps.Timeout, func(ctx context.Context) error {
		var err error
		token, err = r.fetchGitHub(ctx, s, base+"&audience="+url.QueryEscape(audience), bearer)
		return err
	})
	return token, err
}

func (r *Runner) fetchGitHub(ctx context.Context, s profile.Source, from, bearer string) (Secret, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return Secret{}, sourceError(s, "ACTIONS_ID_TOKEN_REQUEST_URL is no URL", nil)
	}
	req.Header.Set("Authorization", "bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	res, err := r.http.Do(req)
	if err != nil {
		return Secret{}, sourceError(s, "asking GitHub for the job's token: "+oneLine(rootOf(err).Error()), err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || res.StatusCode != http.StatusOK {
		return Secret{}, sourceError(s, "GitHub's token service answered "+oneLine(res.Status), err)
	}
	var answer struct{ Value string }
	if json.Unmarshal(raw, &answer) != nil {
		return Secret{}, sourceError(s, "GitHub's token service answered no JSON", nil)
	}
	return checkToken(s, answer.Value)
}

// subjectOf tells whose token it is, unverified: it only keeps two identities'
// sessions apart in the cache. A text that is no JWT stands for itself.
func subjectOf(token Secret) []string {
	part := strings.Split(token.Reveal(), ".")
	if len(part) != 3 {
		return []string{token.Reveal()}
	}
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	var claims struct {
		Iss, Sub string
		Aud      any
	}
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return []string{token.Reveal()}
	}
	return []string{claims.Iss, claims.Sub, fmt.Sprint(claims.Aud)}
}
