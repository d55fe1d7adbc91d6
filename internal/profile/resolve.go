package profile

import (
	"slices"
	"strings"
)

// The properties that make a chain.
const (
	keyRoleARN          = "role_arn"
	keySourceProfile    = "source_profile"
	keyCredentialSource = "credential_source"
	keyTokenFile        = "web_identity_token_file"
	keyProvider         = "web_identity_provider"
	keyAudience         = "web_identity_audience"
	keyProcess          = "credential_process"
	keySSOSession       = "sso_session"
	keySSOAccount       = "sso_account_id"
	keySSORole          = "sso_role_name"
	keySSORegion        = "sso_region"
	keySSOStartURL      = "sso_start_url"
	keyLogin            = "login_session"
	keyAccessKeyID      = "aws_access_key_id"
	keySecretKey        = "aws_secret_access_key"
	keySessionToken     = "aws_session_token"
	keySecurityToken    = "aws_security_token" // older name of the session token; the AWS CLI prefers it
	keyPolicyFile       = "session_policy_file"
	keyRegion           = "region"
)

// staticKeys stand and fall together: all of them come from one file.
var staticKeys = []string{keyAccessKeyID, keySecretKey, keySessionToken, keySecurityToken}

// Resolve follows a profile's source_profile and credential_source to where
// its credentials come from, by the AWS CLI's rules
// (https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-role.html).
// A profile with neither role nor credentials gives a Chain with an empty
// Source.Kind and no hops. Errors are *UnknownProfileError, *SyntaxError,
// *CycleError and *ConfigError.
func (s *Set) Resolve(name string) (Chain, error) {
	defer s.lock()()
	p, err := s.profile(name)
	if err != nil {
		return Chain{}, err
	}
	w := walk{set: s, chain: Chain{Name: name, Properties: p.Properties}, visited: make([]*Profile, 0, 2)}
	if err := w.start(p); err != nil {
		return Chain{}, err
	}
	return w.finish(p)
}

// walk goes from the named profile towards its source.
type walk struct {
	set     *Set
	chain   Chain
	visited []*Profile
	links   []Origin // the source_profile that led from each visited profile to the next
}

// start handles the named profile, whose own role beats its own keys.
func (w *walk) start(p *Profile) error {
	if err := w.visit(p); err != nil {
		return err
	}
	if isRole(p) {
		return w.role(p)
	}
	return w.end(p, false)
}

// source handles a profile that another one names: its own static keys beat
// its own role.
func (w *walk) source(p *Profile) error {
	if err := w.visit(p); err != nil {
		return err
	}
	if hasStatic(p) || !isRole(p) {
		return w.end(p, true)
	}
	return w.role(p)
}

func (w *walk) visit(p *Profile) error {
	w.visited = append(w.visited, p)
	if err := oneLine(p); err != nil {
		return err
	}
	return w.set.checkInherited(p)
}

// oneLine refuses a chain's properties that an indented line continues:
// nobody means that, and the readers join the lines in different ways.
func oneLine(p *Profile) error {
	for key, v := range p.Properties {
		if strings.IndexByte(v.Text, '\n') < 0 || !slices.Contains(oneLineKeys, key) {
			continue
		}
		return configError(p, key, ReasonBadValue, key+" goes on in the next line").
			hint("an indented line continues the value before it: write each property at the start of a line")
	}
	return nil
}

// oneLineKeys are inheritedKeys but for credential_process, whose lines every
// reader joins to one command, and what goes into the call.
var oneLineKeys = []string{
	keyRoleARN, keySourceProfile, keyCredentialSource, keyTokenFile, keyProvider, keyLogin,
	keySSOSession, keySSOAccount, keySSORole, keySSORegion, keySSOStartURL,
	keyAccessKeyID, keySecretKey, keySessionToken, keySecurityToken,
	"external_id", "mfa_serial", "role_session_name", "duration_seconds", "source_identity", keyRegion,
}

// role adds the profile's hop and goes on to what it starts from.
func (w *walk) role(p *Profile) error {
	arn := p.Get(keyRoleARN)
	if arn.Text == "" {
		return configError(p, keyRoleARN, ReasonBadValue, "role_arn is empty")
	}
	hop, err := w.set.hop(p)
	if err != nil {
		return err
	}
	w.chain.Hops = append(w.chain.Hops, hop)
	from, named := p.Get(keySourceProfile), p.Get(keyCredentialSource)
	switch {
	case from.IsSet() && named.IsSet():
		return configError(p, keyCredentialSource, ReasonTwoSources,
			"has both source_profile and credential_source: a role needs exactly one").
			hint("remove one of the two; source_profile is at " + from.Origin.quoted())
	case named.IsSet():
		return w.named(p, named)
	case from.IsSet():
		return w.follow(p, from)
	}
	e := configError(p, keyRoleARN, ReasonNoSource, "has a role_arn, and neither source_profile nor credential_source")
	return e.hint("add source_profile = NAME: the profile whose credentials may assume the role")
}

func (w *walk) follow(p *Profile, from Value) error {
	w.links = append(w.links, from.Origin)
	if from.Text == p.Name && hasStatic(p) && len(w.visited) == 1 {
		return w.end(p, true)
	}
	if i := slices.IndexFunc(w.visited, func(v *Profile) bool { return v.Name == from.Text }); i >= 0 {
		return w.cycle(i)
	}
	if from.Text == "" {
		return configError(p, keySourceProfile, ReasonBadValue, "source_profile is empty")
	}
	next, err := w.set.profile(from.Text)
	if err != nil {
		return referredFrom(err, p, from)
	}
	return w.source(next)
}

func (w *walk) cycle(from int) error {
	e := &CycleError{Origins: w.links[from:]}
	for _, p := range w.visited[from:] {
		e.Names = append(e.Names, p.Name)
	}
	e.Names = append(e.Names, w.visited[from].Name)
	return e
}

// named ends the chain at a credential_source.
func (w *walk) named(p *Profile, source Value) error {
	kinds := map[string]SourceKind{
		"Environment":         SourceEnvironment,
		"Ec2InstanceMetadata": SourceEC2,
		"EcsContainer":        SourceContainer,
	}
	kind, ok := kinds[source.Text]
	if !ok {
		return configError(p, keyCredentialSource, ReasonUnknownSource,
			"credential_source "+quote(source.Text)+" is none of Environment, Ec2InstanceMetadata, EcsContainer")
	}
	w.chain.Source = Source{Kind: kind, Profile: p.Name, Properties: p.Properties}
	return nil
}

// finish puts the hops into the order of the calls and adds the settings.
func (w *walk) finish(p *Profile) (Chain, error) {
	slices.Reverse(w.chain.Hops)
	settings, err := w.set.settings(p, w.visited)
	w.chain.Settings = settings
	return w.chain, err
}

// isRole tells a profile that assumes a role with other credentials. With a
// token file the role is assumed with the token, and is a source.
func isRole(p *Profile) bool {
	_, role := p.Properties[keyRoleARN]
	_, token := p.Properties[keyTokenFile]
	_, provider := p.Properties[keyProvider]
	return role && !token && !provider
}

// hasStatic is true for one key of the two as well: the AWS CLI then takes
// the profile for the end of the chain, and stops there.
func hasStatic(p *Profile) bool {
	return p.Get(keyAccessKeyID).IsSet() || p.Get(keySecretKey).IsSet()
}

// hop reads the parameters of a profile's own role.
func (s *Set) hop(p *Profile) (Hop, error) {
	h := Hop{
		Profile:         p.Name,
		RoleARN:         p.Get(keyRoleARN),
		ExternalID:      p.Get("external_id"),
		MFASerial:       p.Get("mfa_serial"),
		MFAProcess:      p.Get("mfa_process"),
		SessionName:     p.Get("role_session_name"),
		DurationSeconds: p.Get("duration_seconds"),
		SourceIdentity:  p.Get("source_identity"),
		TransitiveTags:  list(p, "transitive_session_tags"),
		PolicyARNs:      list(p, "session_policy_arns"),
	}
	var err error
	if h.SessionTags, err = pairs(p, "session_tags"); err != nil {
		return Hop{}, err
	}
	h.PolicyFile, err = s.besideFile(p.Get(keyPolicyFile))
	return h, err
}

// list splits a value at commas and line ends.
func list(p *Profile, key string) []Value {
	v := p.Get(key)
	var out []Value
	for _, part := range strings.FieldsFunc(v.Text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if part = trim(part); part != "" {
			out = append(out, Value{Text: part, Origin: v.Origin})
		}
	}
	return out
}

// pairs reads k=v,k2=v2, or a nested block with one pair a line, in the order
// of the lines.
func pairs(p *Profile, key string) ([]Pair, error) {
	if block, ok := p.Nested[key]; ok {
		return blockPairs(block), nil
	}
	var out []Pair
	for _, part := range list(p, key) {
		name, value, ok := strings.Cut(part.Text, "=")
		if !ok {
			return nil, configError(p, key, ReasonBadValue, key+" needs name=value, and "+quote(part.Text)+" has no =")
		}
		out = append(out, Pair{Key: trim(name), Value: Value{Text: trim(value), Origin: part.Origin}})
	}
	return out, nil
}

func blockPairs(block map[string]Value) []Pair {
	out := make([]Pair, 0, len(block))
	for name, value := range block {
		out = append(out, Pair{Key: name, Value: value})
	}
	slices.SortFunc(out, func(a, b Pair) int { return a.Value.Origin.Line - b.Value.Origin.Line })
	return out
}

// configError places an error at the key if the profile has it, and else at
// the profile's first header.
func configError(p *Profile, key string, reason ConfigReason, problem string) *ConfigError {
	e := &ConfigError{Profile: p.Name, Key: key, Reason: reason, Problem: problem}
	if v := p.Get(key); v.IsSet() {
		e.Origin = v.Origin
	} else if len(p.Sections) > 0 {
		e.Origin = p.Sections[0]
	}
	return e
}

func (e *ConfigError) hint(text string) *ConfigError {
	e.hints = append(e.hints, text)
	return e
}
