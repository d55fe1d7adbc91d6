// Package plantext shows what a plan would call: to a person, and as the documented JSON.
package plantext

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// Plan is the documented shape of `assume --dry-run --format json`.
type Plan struct {
	Version  int      `json:"version"`
	Profile  string   `json:"profile"`
	Source   Source   `json:"source"`
	Region   string   `json:"region"`
	Endpoint string   `json:"endpoint,omitempty"`
	Calls    []Call   `json:"calls"`
	Asks     []string `json:"asks"`
	Warnings []string `json:"warnings"`
}

// Source is what a chain starts from.
type Source struct {
	Kind    string `json:"kind"`
	Profile string `json:"profile"`
}

// Call is one call of a chain, without anything secret. A duration is in seconds.
type Call struct {
	Action         string            `json:"action"`
	Profile        string            `json:"profile,omitempty"`
	RoleARN        string            `json:"role_arn,omitempty"`
	SessionName    string            `json:"session_name,omitempty"`
	ExternalID     string            `json:"external_id,omitempty"`
	MFASerial      string            `json:"mfa_serial,omitempty"`
	Duration       int               `json:"duration_seconds,omitempty"`
	SourceIdentity string            `json:"source_identity,omitempty"`
	Tags           map[string]string `json:"session_tags,omitempty"`
	TransitiveTags []string          `json:"transitive_session_tags,omitempty"`
	Policy         json.RawMessage   `json:"session_policy,omitempty"`
	PolicyARNs     []string          `json:"session_policy_arns,omitempty"`
}

// New describes a plan: the calls in the order in which they would be made.
func New(p assume.Plan) Plan {
	out := Plan{
		Version: 1, Profile: p.Profile, Source: NewSource(p.Source),
		Region: p.Where.Region, Endpoint: p.Where.Endpoint, Calls: []Call{}, Asks: Asks(p), Warnings: append([]string{}, p.Warnings...),
	}
	if p.Exchange != nil {
		out.Calls = append(out.Calls, NewCall("sts:AssumeRoleWithWebIdentity", *p.Exchange))
	}
	if m := p.MFASession; m != nil {
		out.Calls = append(out.Calls, Call{Action: "sts:GetSessionToken", Profile: m.Profile, MFASerial: m.Serial, Duration: int(m.Duration.Seconds())})
	}
	for _, c := range p.Calls {
		out.Calls = append(out.Calls, NewCall("sts:AssumeRole", c))
	}
	return out
}

// NewSource describes a source.
func NewSource(s profile.Source) Source { return Source{string(s.Kind), s.Profile} }

// NewCall describes a call of this action.
func NewCall(action string, c assume.Call) Call {
	out := Call{
		Action: action, Profile: c.Profile, RoleARN: c.Role.String(), SessionName: c.SessionName, ExternalID: c.ExternalID,
		MFASerial: c.MFASerial, Duration: int(c.Duration.Seconds()), SourceIdentity: c.SourceIdentity,
		TransitiveTags: c.TransitiveTags, Policy: json.RawMessage(c.Policy), PolicyARNs: c.PolicyARNs,
	}
	if len(c.Tags) > 0 {
		out.Tags = map[string]string{}
		for _, t := range c.Tags {
			out.Tags[t.Key] = t.Value
		}
	}
	return out
}

// Asks lists what a person would be asked.
func Asks(p assume.Plan) []string {
	if !p.NeedsPerson() {
		return []string{}
	}
	if m := p.MFASession; m != nil {
		return []string{"MFA code of " + m.Serial}
	}
	return []string{"MFA code of " + p.Calls[0].MFASerial}
}

// Write shows a person what would happen, in the order in which it would.
func Write(w io.Writer, p assume.Plan) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("profile", "%s", word.Clean(p.Profile))
	line("source", "%s", NewSource(p.Source).Text())
	for i, call := range New(p).Calls {
		line(fmt.Sprintf("call %d", i+1), "%s", call.Text())
	}
	line("region", "%s (%s)", word.Clean(p.Where.Region), originText(p.Where.RegionFrom))
	if p.Where.Endpoint != "" {
		line("endpoint", "%s (%s)", word.Clean(p.Where.Endpoint), originText(p.Where.EndpointFrom))
	}
	for _, ask := range Asks(p) {
		line("asks for", "%s", word.Clean(ask))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text is a call for a person: its action and role, and on lines of their own what is sent.
func (c Call) Text() string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(c.Action+" "+c.RoleARN, " "))
	for _, f := range []struct{ name, value string }{
		{"session name", c.SessionName},
		{"external ID", c.ExternalID},
		{"MFA", c.MFASerial},
		{"source identity", c.SourceIdentity},
		{"transitive tags", strings.Join(c.TransitiveTags, ",")},
		{"session policy", string(c.Policy)},
		{"policies", strings.Join(c.PolicyARNs, ",")},
	} {
		if f.value != "" {
			b.WriteString("\n             " + f.name + " " + word.Clean(f.value))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		b.WriteString("\n             tag " + word.Clean(key) + "=" + word.Clean(c.Tags[key]))
	}
	if c.Duration > 0 {
		fmt.Fprintf(&b, "\n             duration %d s", c.Duration)
	}
	return b.String()
}

// Text is a source for a person.
func (s Source) Text() string {
	if s.Profile == "" {
		return s.Kind
	}
	return s.Kind + " of profile " + word.Clean(s.Profile)
}

func originText(o profile.Origin) string {
	if o == (profile.Origin{}) {
		return "from the role's partition"
	}
	return "from " + word.Clean(o.String())
}
