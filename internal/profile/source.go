package profile

import (
	"maps"
	"strings"
)

// end finds the credentials that a profile holds itself, in the order in
// which the AWS CLI asks its providers. required says that a hop needs them.
func (w *walk) end(p *Profile, required bool) error {
	source, err := w.set.endOf(p, required)
	if err != nil {
		return err
	}
	if source.Kind == "" && required {
		return configError(p, keyAccessKeyID, ReasonNoCredentials, "is a source profile and has no credentials").
			hint("give it aws_access_key_id and aws_secret_access_key, credential_process, sso_session, login_session or a role of its own")
	}
	w.chain.Source = source
	return nil
}

func (s *Set) endOf(p *Profile, required bool) (Source, error) {
	out := Source{Profile: p.Name, Properties: p.Properties}
	steps := []func(*Profile, *Source) error{
		s.webIdentity, s.sso, s.staticOf(true), loginSession, process, s.staticOf(false),
	}
	for _, step := range steps {
		if err := step(p, &out); err != nil || out.Kind != "" {
			return out, err
		}
	}
	if err := s.leftover(p, &out, required); err != nil {
		return Source{}, err
	}
	return out, nil
}

// webIdentity takes a token file, or GitHub's own token, and the role that it
// is exchanged for.
func (s *Set) webIdentity(p *Profile, out *Source) error {
	kind, key := SourceWebIdentity, keyTokenFile
	if provider := p.Get(keyProvider); provider.IsSet() {
		if provider.Text != "github" {
			return configError(p, keyProvider, ReasonBadValue, "web_identity_provider "+quote(provider.Text)+" is unknown: github is the only one")
		}
		if p.Get(keyTokenFile).IsSet() {
			return configError(p, keyProvider, ReasonTwoSources, "has both web_identity_provider and web_identity_token_file")
		}
		kind, key = SourceGitHub, keyProvider
	}
	if p.Get(key).Text == "" {
		return nil
	}
	if p.Get(keyRoleARN).Text == "" {
		return configError(p, key, ReasonNoRole, "has a "+key+" and no role_arn")
	}
	hop, err := s.hop(p)
	out.Kind, out.Role = kind, &hop
	return err
}

// staticOf takes static keys if they are of the credentials file (or of the
// config file).
func (s *Set) staticOf(credentials bool) func(*Profile, *Source) error {
	return func(p *Profile, out *Source) error {
		if !p.Get(keyAccessKeyID).IsSet() || p.keysInCredentials != credentials {
			return nil
		}
		for _, key := range []string{keyAccessKeyID, keySecretKey} {
			if p.Get(key).Text == "" {
				return halfFilled(p, key)
			}
		}
		out.Kind, out.Properties = SourceStatic, withToken(p.Properties)
		return nil
	}
}

func halfFilled(p *Profile, missing string) error {
	e := configError(p, missing, ReasonHalfFilled, "has no "+missing+", and the other half of the pair is there")
	e.Problem = "is half-filled: " + missing + " is missing"
	if p.Get(missing).IsSet() {
		e.Problem = "is half-filled: " + missing + " is empty"
	}
	for _, v := range p.unused {
		if v.Text == missing {
			e = e.hint("the " + missing + " at " + v.Origin.quoted() + " is of the other file, and keys of two files are never mixed")
		}
	}
	return e
}

// withToken gives a token of the older name its usual one.
func withToken(properties map[string]Value) map[string]Value {
	token, ok := properties[keySecurityToken]
	if !ok {
		return properties
	}
	properties = maps.Clone(properties)
	properties[keySessionToken] = token
	return properties
}

func loginSession(p *Profile, out *Source) error {
	return single(p, out, keyLogin, SourceLogin)
}

func process(p *Profile, out *Source) error {
	return single(p, out, keyProcess, SourceProcess)
}

func single(p *Profile, out *Source, key string, kind SourceKind) error {
	v := p.Get(key)
	if !v.IsSet() {
		return nil
	}
	if v.Text == "" {
		return configError(p, key, ReasonBadValue, key+" is empty")
	}
	out.Kind = kind
	return nil
}

// sso takes IAM Identity Center: an account or a role name is what shows that
// a profile uses it.
func (s *Set) sso(p *Profile, out *Source) error {
	if !p.Get(keySSOAccount).IsSet() && !p.Get(keySSORole).IsSet() {
		return nil
	}
	session, err := s.ssoSession(p)
	if err != nil {
		return err
	}
	if err := complete(p, session, keySSOAccount, keySSORole, keySSOStartURL, keySSORegion); err != nil {
		return err
	}
	out.Kind, out.SSO = SourceSSO, session
	return nil
}

// complete checks that the profile or its sso-session has all of the keys.
func complete(p *Profile, session map[string]Value, keys ...string) error {
	var missing []string
	for _, key := range keys {
		if p.Get(key).Text == "" && session[key].Text == "" {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := configError(p, missing[0], ReasonHalfFilled, "uses sso and lacks "+strings.Join(missing, ", "))
	return e
}

// ssoSession reads the section that sso_session names. Region and start URL
// must stand there, and the profile may only repeat them.
func (s *Set) ssoSession(p *Profile) (map[string]Value, error) {
	name := p.Get(keySSOSession)
	if !name.IsSet() {
		return nil, nil
	}
	block, sections, err := s.namedBlock(kindSSOSession, name.Text)
	if err != nil {
		return nil, err
	}
	if len(sections) == 0 {
		return nil, configError(p, keySSOSession, ReasonMissingSection, "sso_session "+quote(name.Text)+" names a section that does not exist").
			hint("add [sso-session " + printable(name.Text) + "] to the config file, or run: aws configure sso")
	}
	for _, key := range []string{keySSORegion, keySSOStartURL} {
		if block.values[key].Text == "" {
			return nil, configError(p, keySSOSession, ReasonHalfFilled, "[sso-session "+printable(name.Text)+"] has no "+key)
		}
	}
	for key, value := range block.values {
		if own := p.Get(key); own.IsSet() && own.Text != value.Text {
			return nil, configError(p, key, ReasonContradiction, key+" differs from the one of [sso-session "+printable(name.Text)+"] at "+value.Origin.quoted())
		}
	}
	return block.values, nil
}

// leftover looks at what no provider took: a pair with one half, sso settings
// without an account, or a source without a role.
func (s *Set) leftover(p *Profile, out *Source, required bool) error {
	if p.Get(keySecretKey).IsSet() {
		return halfFilled(p, keyAccessKeyID)
	}
	if err := s.tokenOnly(p, out, required); err != nil || out.Kind != "" {
		return err
	}
	for _, key := range []string{keySourceProfile, keyCredentialSource} {
		if p.Get(key).IsSet() && !p.Get(keyRoleARN).IsSet() {
			return configError(p, key, ReasonNoRole, "has a "+key+" and no role_arn")
		}
	}
	if p.Get(keyRoleARN).IsSet() {
		return configError(p, keyTokenFile, ReasonNoSource, "has a role_arn, and its web_identity_token_file is empty")
	}
	return nil
}

// tokenOnly takes an sso_session without account and role. It logs in, but
// gives no credentials for a hop.
func (s *Set) tokenOnly(p *Profile, out *Source, required bool) error {
	if !p.Get(keySSOSession).IsSet() {
		for _, key := range []string{keySSOStartURL, keySSORegion} {
			if p.Get(key).IsSet() {
				return complete(p, nil, keySSOAccount, keySSORole, keySSOStartURL, keySSORegion)
			}
		}
		return nil
	}
	session, err := s.ssoSession(p)
	if err != nil {
		return err
	}
	if required {
		return complete(p, session, keySSOAccount, keySSORole)
	}
	out.Kind, out.SSO = SourceSSO, session
	return nil
}
