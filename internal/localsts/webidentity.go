package localsts

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"crossrole/internal/policy"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// SetJWKS gives OpenID Connect providers their public keys (a JSON Web Key Set), in place of what AWS fetches from
// them. provider is an ARN, an issuer's URL or its host and path; empty is every provider that has no keys yet. The error says what is wrong
// with the set, or that there is no such provider. Call it before serving.
func (w *World) SetJWKS(provider string, set []byte) error {
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(set, &keys); err != nil {
		return fmt.Errorf("not a JSON Web Key Set: %w", err)
	}
	if len(keys.Keys) == 0 {
		return errors.New("a JSON Web Key Set without keys")
	}
	found := false
	for _, x := range w.accounts {
		for _, p := range x.OIDC {
			if p.ARN == provider || p.URL == strings.TrimPrefix(provider, "https://") || provider == "" && len(p.JWKS) == 0 {
				p.JWKS, found = set, true
			}
		}
	}
	if !found {
		return fmt.Errorf("no OpenID Connect provider %q in these accounts", provider)
	}
	return nil
}

// jwtAlgorithms are those that IAM accepts of an OpenID Connect provider.
var jwtAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

func invalidIdentity(format string, a ...any) *apiError {
	return badRequest("InvalidIdentityToken", format, a...)
}

func (s *Server) assumeRoleWithWebIdentity(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	roleARN := p.need("RoleArn", ruleARN)
	g := &grant{sessionName: p.need("RoleSessionName", ruleSessionName)}
	token := p.need("WebIdentityToken", ruleJWT)
	g.seconds = p.number("DurationSeconds", 900, 43200, 3600)
	g.readPolicies(p)
	if err := p.err(); err != nil {
		return nil, err
	}
	arn, ok := splitARN(roleARN)
	if !ok || arn.service != "iam" || !isAccountID(arn.account) {
		return nil, validationError("Request ARN is invalid")
	}
	id, apiErr := s.verifyJWT(token, s.world.accounts[arn.account], c.now)
	if apiErr != nil {
		return nil, apiErr
	}
	g.federated, g.tags, g.transitive, g.sourceIdentity = id.provider.ARN, id.tags, id.transitive, id.sourceIdentity
	if apiErr := s.decideAssume(c, g, roleARN, "sts:AssumeRoleWithWebIdentity", id.conditions(s.assumeContext(c, g, false))); apiErr != nil {
		return nil, apiErr
	}
	if apiErr := g.checkDuration(); apiErr != nil {
		return nil, apiErr
	}
	out, apiErr := s.handOut(c, g)
	if apiErr != nil {
		return nil, apiErr
	}
	return append(out, tx("SubjectFromWebIdentityToken", id.Subject), tx("Provider", id.provider.ARN), tx("Audience", id.audience)), nil
}

// webIdentity is what a verified token says.
type webIdentity struct {
	jwt.Claims
	provider       *OIDCProvider
	audience       string
	azp            string
	amr            []string
	tags           []Tag
	transitive     []string
	sourceIdentity string
}

// awsClaims are the claims that STS turns into session tags and a source identity.
type awsClaims struct {
	AZP  string   `json:"azp"`
	AMR  []string `json:"amr"`
	Tags struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	} `json:"https://aws.amazon.com/tags"`
	SourceIdentity string `json:"https://aws.amazon.com/source_identity"`
}

// verifyJWT finds the token's provider in the account and checks signature, audience and times.
func (s *Server) verifyJWT(token string, account *accountIndex, now time.Time) (*webIdentity, *apiError) {
	tok, err := jwt.ParseSigned(token, jwtAlgorithms)
	if err != nil {
		return nil, invalidIdentity("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	id, extra := &webIdentity{}, awsClaims{}
	if err := tok.UnsafeClaimsWithoutVerification(&id.Claims); err != nil {
		return nil, invalidIdentity("Missing a required claim: iss")
	}
	if id.provider = account.oidc(id.Issuer); id.provider == nil {
		return nil, invalidIdentity("No OpenIDConnect provider found in your account for %s", clip(id.Issuer))
	}
	var keys jose.JSONWebKeySet
	if json.Unmarshal(id.provider.JWKS, &keys) != nil {
		return nil, badRequest("IDPCommunicationError", "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	if err := tok.Claims(&keys, &extra); err != nil {
		return nil, invalidIdentity("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	if apiErr := id.judge(extra, now); apiErr != nil {
		return nil, apiErr
	}
	id.azp, id.amr, id.sourceIdentity, id.transitive = extra.AZP, extra.AMR, extra.SourceIdentity, extra.Tags.Transitive
	for k, v := range extra.Tags.Principal {
		if len(v) > 0 {
			id.tags = append(id.tags, Tag{k, v[0]})
		}
	}
	slices.SortFunc(id.tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return id, nil
}

// judge checks times and audience: azp, where it is given, counts instead of aud.
func (id *webIdentity) judge(extra awsClaims, now time.Time) *apiError {
	switch {
	case id.Subject == "":
		return invalidIdentity("Missing a required claim: sub")
	case id.Expiry == nil:
		return invalidIdentity("Missing a required claim: exp")
	case !now.Before(id.Expiry.Time()):
		return badRequest("ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), id.Expiry.Time().Unix())
	case id.NotBefore != nil && now.Add(5*time.Minute).Before(id.NotBefore.Time()):
		return invalidIdentity("Token not yet valid")
	}
	for _, a := range append([]string{extra.AZP}, id.Audience...) {
		if a != "" && slices.Contains(id.provider.ClientIDs, a) {
			id.audience = a
			return nil
		}
	}
	return invalidIdentity("Incorrect token audience")
}

// conditions adds the provider's condition keys.
func (id *webIdentity) conditions(ctx policy.Context) policy.Context {
	host := id.provider.URL
	aud := id.audience
	if id.azp != "" {
		aud = id.azp
		ctx[host+":oaud"] = policy.Many(id.Audience...)
	}
	ctx[host+":aud"], ctx[host+":sub"] = policy.One(aud), policy.One(id.Subject)
	if len(id.amr) > 0 {
		ctx[host+":amr"] = policy.Many(id.amr...)
	}
	ctx["aws:FederatedProvider"] = policy.One(id.provider.ARN)
	return ctx
}

func (x *accountIndex) oidc(issuer string) *OIDCProvider {
	host, https := strings.CutPrefix(issuer, "https://")
	if x == nil || !https {
		return nil
	}
	for _, p := range x.OIDC {
		if strings.TrimSuffix(p.URL, "/") == strings.TrimSuffix(host, "/") {
			return p
		}
	}
	return nil
}
