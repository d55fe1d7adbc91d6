package profile

import "errors"

// ResolveRole gives the chain of a role ARN that no profile names. Its source
// is the profile sourceProfile, by the rules of source_profile. Without one
// it is the first that is there of: keys in the environment, a web identity
// token file in the environment, the selected profile (AWS_PROFILE, and else
// default), GitHub's OIDC request variables, a container's credentials. It is
// never an instance's metadata, which nobody asked for. With no source the
// error is a *NoSourceError.
func (s *Set) ResolveRole(roleARN, sourceProfile string) (Chain, error) {
	defer s.lock()()
	w := walk{set: s, chain: Chain{Name: roleARN, Properties: map[string]Value{}}}
	w.chain.Hops = []Hop{{RoleARN: Value{Text: roleARN}}}
	var first *Profile
	var err error
	if sourceProfile != "" {
		first, err = s.profile(sourceProfile)
		if err == nil {
			err = w.source(first)
		}
	} else {
		first, err = w.ambient(roleARN)
	}
	if err != nil {
		return Chain{}, err
	}
	return w.finish(first)
}

// ambient finds a source for a bare role in the environment.
func (w *walk) ambient(roleARN string) (*Profile, error) {
	env := w.set.env
	if env("AWS_ACCESS_KEY_ID") != "" {
		w.chain.Source = Source{Kind: SourceEnvironment}
		return nil, nil
	}
	if token := fromEnv(env, "AWS_WEB_IDENTITY_TOKEN_FILE"); token.IsSet() {
		w.tokenFile(roleARN, token)
		return nil, nil
	}
	p, err := w.selected()
	if err != nil || w.chain.Source.Kind != "" {
		return p, err
	}
	switch {
	case env("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && env("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != "":
		w.chain.Source = Source{Kind: SourceGitHub, Role: &w.chain.Hops[0]}
		w.chain.Hops = nil
	case env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		w.chain.Source = Source{Kind: SourceContainer}
	default:
		return nil, &NoSourceError{RoleARN: roleARN}
	}
	return p, nil
}

// tokenFile exchanges the environment's token for AWS_ROLE_ARN, and goes on
// from there if that is another role than the wanted one.
func (w *walk) tokenFile(roleARN string, token Value) {
	env := w.set.env
	first := Hop{RoleARN: fromEnv(env, "AWS_ROLE_ARN"), SessionName: fromEnv(env, "AWS_ROLE_SESSION_NAME")}
	if !first.RoleARN.IsSet() || first.RoleARN.Text == roleARN {
		first.RoleARN = w.chain.Hops[0].RoleARN
		w.chain.Hops = nil
	}
	w.chain.Source = Source{
		Kind: SourceWebIdentity, Role: &first,
		Properties: map[string]Value{keyTokenFile: token},
	}
}

// selected tries the profile that holds when none is named. That default does
// not exist, or holds no credentials, is no error here.
func (w *walk) selected() (*Profile, error) {
	name := SelectedProfile(w.set.env)
	p, err := w.set.profile(name.Text)
	if _, unknown := errors.AsType[*UnknownProfileError](err); unknown && !name.IsSet() {
		return nil, nil
	}
	if err != nil {
		return nil, referredFrom(err, nil, name)
	}
	if !name.IsSet() && !holdsCredentials(p) {
		return p, w.visit(p)
	}
	return p, w.source(p)
}

// holdsCredentials tells a profile that has anything a chain can start from.
func holdsCredentials(p *Profile) bool {
	for _, key := range []string{
		keyAccessKeyID, keySecretKey, keyRoleARN, keyTokenFile, keyProvider,
		keyProcess, keySSOSession, keySSOAccount, keySSORole, keyLogin,
	} {
		if p.Get(key).IsSet() {
			return true
		}
	}
	return false
}
