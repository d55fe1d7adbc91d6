package profile

// inheritedKeys are the properties that decide which role, source or keys a
// profile stands for.
var inheritedKeys = []string{
	keyRoleARN, keySourceProfile, keyCredentialSource, keyTokenFile, keyProcess, keyLogin,
	keySSOSession, keySSOAccount, keySSORole, keySSORegion, keySSOStartURL,
	keyAccessKeyID, keySecretKey, keySessionToken, keySecurityToken,
}

// checkInherited stops where the AWS CLI would take a property of [DEFAULT]
// for one of the profile's own, as Python's reader does, and so would resolve
// another role, source or key than we do.
func (s *Set) checkInherited(p *Profile) error {
	for _, d := range []*document{s.config, s.credentials} {
		for _, number := range d.inherit {
			if !s.definedIn(p, d) {
				continue
			}
			if err := s.checkSection(p, s.readSection(d, number)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Set) definedIn(p *Profile, d *document) bool {
	for _, o := range p.Sections {
		if o.File == d.path {
			return true
		}
	}
	return false
}

func (s *Set) checkSection(p *Profile, inherited *section) error {
	if inherited.err != nil {
		return inherited.err
	}
	for _, e := range inherited.entries {
		if !contains(inheritedKeys, e.key) {
			continue
		}
		if own := p.Get(e.key); own.IsSet() && (own.Origin.File == inherited.header.File || s.credentialsWin(own)) {
			continue
		}
		at := Origin{File: inherited.header.File, Line: e.line}
		return (&ConfigError{
			Profile: p.Name, Key: e.key, Origin: at, Reason: ReasonInherited,
			Problem: e.key + " of [DEFAULT] is the profile's in the AWS CLI and not in the SDKs",
		}).hint("move it to [default] or to the profiles that need it")
	}
	return nil
}

// credentialsWin is true for a value that covers whatever the config file
// says.
func (s *Set) credentialsWin(v Value) bool { return v.Origin.File == s.files.Credentials }

func contains(keys []string, key string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}
