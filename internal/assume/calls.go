package assume

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"crossrole/internal/profile"
)

// hopsOf lays the command line's values over the chain's hops. They belong to
// the last hop, the role that was asked for; MFA to the first, the only one
// that can use it; a session name also to the hops that have none.
func hopsOf(chain profile.Chain, o Overrides) ([]profile.Hop, error) {
	hops := append([]profile.Hop(nil), chain.Hops...)
	if o.RoleARN != "" {
		role := flag("--role-arn", o.RoleARN)
		if len(hops) == 0 {
			hops = []profile.Hop{{Profile: chain.Name}}
		}
		hops[len(hops)-1].RoleARN = role
	}
	if len(hops) == 0 {
		return nil, unusedOverride(o)
	}
	last := &hops[len(hops)-1]
	override(&last.ExternalID, "--external-id", o.ExternalID)
	override(&last.DurationSeconds, "--duration", o.Duration)
	override(&last.SourceIdentity, "--source-identity", o.SourceIdentity)
	override(&last.PolicyFile, "--policy-file", o.PolicyFile)
	override(&hops[0].MFASerial, "--mfa-serial", o.MFASerial)
	if o.SessionName != "" {
		for i := range hops {
			if i == len(hops)-1 || !hops[i].SessionName.IsSet() {
				hops[i].SessionName = flag("--session-name", o.SessionName)
			}
		}
	}
	return hops, overrideLists(last, o)
}

// overrideLists replaces the hop's tags and policies with the flags'; a tag
// given by flag replaces the profile's tag of the same key.
func overrideLists(hop *profile.Hop, o Overrides) error {
	for _, text := range o.Tags {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return &InvalidError{Field: "--tag", Value: text, Why: "it must be KEY=VALUE"}
		}
		hop.SessionTags = setTag(hop.SessionTags, profile.Pair{Key: key, Value: flag("--tag", value)})
	}
	if len(o.TransitiveTags) > 0 {
		hop.TransitiveTags = flags("--transitive-tag", o.TransitiveTags)
	}
	if len(o.PolicyARNs) > 0 {
		hop.PolicyARNs = flags("--policy-arn", o.PolicyARNs)
	}
	return nil
}

// setTag replaces the tag of the same key; STS ignores case in tag keys.
func setTag(tags []profile.Pair, tag profile.Pair) []profile.Pair {
	out := make([]profile.Pair, 0, len(tags)+1)
	for _, t := range tags {
		if !strings.EqualFold(t.Key, tag.Key) || t.Value.Origin.File == "--tag" {
			out = append(out, t)
		}
	}
	return append(out, tag)
}

// unusedOverride refuses flags that speak of a role where there is none.
func unusedOverride(o Overrides) error {
	for _, f := range []struct{ name, value string }{
		{"--external-id", o.ExternalID},
		{"--duration", o.Duration},
		{"--source-identity", o.SourceIdentity},
		{"--policy-file", o.PolicyFile},
		{"--mfa-serial", o.MFASerial},
		{"--mfa-code", o.MFACode},
		{"--session-name", o.SessionName},
		{"--tag", strings.Join(o.Tags, ",")},
		{"--transitive-tag", strings.Join(o.TransitiveTags, ",")},
		{"--policy-arn", strings.Join(o.PolicyARNs, ",")},
	} {
		if f.value != "" {
			return &InvalidError{
				Field: f.name, Why: "the profile assumes no role that it could apply to",
				Advice: []string{"name a profile with role_arn, or give --role-arn"},
			}
		}
	}
	return nil
}

// flag makes a value of a flag. Its origin reads as the flag's name.
func flag(name, text string) profile.Value {
	return profile.Value{Text: text, Origin: profile.Origin{File: name}}
}

func flags(name string, texts []string) []profile.Value {
	out := make([]profile.Value, len(texts))
	for i, text := range texts {
		out[i] = flag(name, text)
	}
	return out
}

func override(v *profile.Value, name, text string) {
	if text != "" {
		*v = flag(name, text)
	}
}

// newCall checks a hop against every limit of STS.
func newCall(hop profile.Hop, who string, readFile func(string) ([]byte, error)) (Call, error) {
	call := Call{Profile: hop.Profile, MFAProcess: hop.MFAProcess.Text}
	role, err := ParseRoleARN(hop.RoleARN.Text)
	if err != nil || len(hop.RoleARN.Text) > maxARNLength {
		return Call{}, invalid(hop.Profile, "role_arn", hop.RoleARN, err)
	}
	call.Role = role
	if err := call.setTexts(hop, who); err != nil {
		return Call{}, err
	}
	if hop.DurationSeconds.IsSet() {
		plain := hop.DurationSeconds.Origin.File != "--duration"
		if call.Duration, err = checkDuration(hop.DurationSeconds.Text, plain); err != nil {
			return Call{}, invalid(hop.Profile, "duration_seconds", hop.DurationSeconds, err)
		}
	}
	if err := call.setTags(hop); err != nil {
		return Call{}, err
	}
	return call, call.setPolicies(hop, readFile)
}

// setTexts fills the plain texts of a call, each with its own rule.
func (c *Call) setTexts(hop profile.Hop, who string) error {
	for _, f := range []struct {
		field string
		value profile.Value
		to    *string
		check func(string) error
	}{
		{"role_session_name", hop.SessionName, &c.SessionName, checkName},
		{"external_id", hop.ExternalID, &c.ExternalID, checkExternalID},
		{"mfa_serial", hop.MFASerial, &c.MFASerial, checkSerial},
		{"source_identity", hop.SourceIdentity, &c.SourceIdentity, checkName},
	} {
		if !f.value.IsSet() {
			continue
		}
		if err := f.check(f.value.Text); err != nil {
			return invalid(hop.Profile, f.field, f.value, err)
		}
		*f.to = f.value.Text
	}
	if c.SessionName == "" {
		c.SessionName = SessionName(who)
	}
	return nil
}

func (c *Call) setTags(hop profile.Hop) error {
	seen := map[string]bool{}
	for _, tag := range hop.SessionTags {
		at := profile.Value{Text: tag.Key + "=" + tag.Value.Text, Origin: tag.Value.Origin}
		if err := checkTag(tag.Key, tag.Value.Text); err != nil {
			return invalid(hop.Profile, "session_tags", at, err)
		}
		if seen[strings.ToLower(tag.Key)] {
			return invalid(hop.Profile, "session_tags", at, errors.New("the key is there twice"))
		}
		seen[strings.ToLower(tag.Key)] = true
		c.Tags = append(c.Tags, Tag{tag.Key, tag.Value.Text})
		if len(c.Tags) > maxTags {
			return invalid(hop.Profile, "session_tags", at, errors.New("a session has at most 50 tags"))
		}
	}
	for _, key := range hop.TransitiveTags {
		if !seen[strings.ToLower(key.Text)] {
			return invalid(hop.Profile, "transitive_session_tags", key, errors.New("it is none of the session tags"))
		}
		c.TransitiveTags = append(c.TransitiveTags, key.Text)
	}
	return nil
}

func (c *Call) setPolicies(hop profile.Hop, readFile func(string) ([]byte, error)) error {
	for _, arn := range hop.PolicyARNs {
		if err := checkPolicyARN(arn.Text); err != nil {
			return invalid(hop.Profile, "session_policy_arns", arn, err)
		}
		c.PolicyARNs = append(c.PolicyARNs, arn.Text)
		if len(c.PolicyARNs) > maxPolicyARNs {
			return invalid(hop.Profile, "session_policy_arns", arn, errors.New("a session has at most 10 managed policies"))
		}
	}
	if !hop.PolicyFile.IsSet() {
		return nil
	}
	text, err := readPolicy(hop.PolicyFile, readFile)
	if err != nil {
		return invalid(hop.Profile, "session_policy_file", hop.PolicyFile, err)
	}
	c.Policy = text
	return nil
}

// readPolicy reads a session policy and drops its blanks: STS counts every
// character. A relative path of a profile is relative to its config file.
func readPolicy(name profile.Value, readFile func(string) ([]byte, error)) (string, error) {
	path := name.Text
	if name.Origin.Line > 0 && !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(name.Origin.File), path)
	}
	if readFile == nil {
		return "", errors.New("no files can be read here")
	}
	raw, err := readFile(path)
	if err != nil {
		return "", err
	}
	var small bytes.Buffer
	if err := json.Compact(&small, bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))); err != nil {
		return "", errors.New("the file is not JSON: " + err.Error())
	}
	if n := small.Len(); n == 0 || n > maxPolicyText {
		return "", errors.New("a session policy has at most 2048 characters, and this one " + strconv.Itoa(n))
	}
	return small.String(), nil
}

// invalid names the value, where it was written, and why it can't be sent.
func invalid(in, field string, v profile.Value, err error) error {
	why := "it is too long"
	if err != nil {
		why = err.Error()
	}
	if v.Origin.Line == 0 && v.Origin.Env == "" && v.Origin.File != "" {
		return &InvalidError{Field: v.Origin.File, Value: v.Text, Why: why}
	}
	return &InvalidError{Profile: in, Field: field, Value: v.Text, Origin: v.Origin, Why: why}
}
