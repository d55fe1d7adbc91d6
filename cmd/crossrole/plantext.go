package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

// planJSON is the documented shape of `assume --dry-run --format json`.
type planJSON struct {
	Version  int        `json:"version"`
	Profile  string     `json:"profile"`
	Source   sourceJSON `json:"source"`
	Region   string     `json:"region"`
	Endpoint string     `json:"endpoint,omitempty"`
	Calls    []callJSON `json:"calls"`
	Asks     []string   `json:"asks"`
	Warnings []string   `json:"warnings"`
}

type sourceJSON struct {
	Kind    string `json:"kind"`
	Profile string `json:"profile"`
}

type callJSON struct {
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

func newPlanJSON(p assume.Plan) planJSON {
	out := planJSON{
		Version: 1, Profile: p.Profile, Source: sourceJSON{string(p.Source.Kind), p.Source.Profile},
		Region: p.Where.Region, Endpoint: p.Where.Endpoint, Calls: []callJSON{}, Asks: asks(p), Warnings: append([]string{}, p.Warnings...),
	}
	if p.Exchange != nil {
		out.Calls = append(out.Calls, newCallJSON("sts:AssumeRoleWithWebIdentity", *p.Exchange))
	}
	if m := p.MFASession; m != nil {
		out.Calls = append(out.Calls, callJSON{Action: "sts:GetSessionToken", Profile: m.Profile, MFASerial: m.Serial, Duration: int(m.Duration.Seconds())})
	}
	for _, c := range p.Calls {
		out.Calls = append(out.Calls, newCallJSON("sts:AssumeRole", c))
	}
	return out
}

func newCallJSON(action string, c assume.Call) callJSON {
	out := callJSON{
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

// asks lists what a person would be asked.
func asks(p assume.Plan) []string {
	if !p.NeedsPerson() {
		return []string{}
	}
	if m := p.MFASession; m != nil {
		return []string{"MFA code of " + m.Serial}
	}
	return []string{"MFA code of " + p.Calls[0].MFASerial}
}

// writePlan shows a person what would happen, in the order in which it would.
func writePlan(w io.Writer, p assume.Plan) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("profile", "%s", clean(p.Profile))
	line("source", "%s", sourceText(p.Source))
	for i, call := range newPlanJSON(p).Calls {
		line(fmt.Sprintf("call %d", i+1), "%s", callText(call))
	}
	line("region", "%s (%s)", clean(p.Where.Region), originText(p.Where.RegionFrom))
	if p.Where.Endpoint != "" {
		line("endpoint", "%s (%s)", clean(p.Where.Endpoint), originText(p.Where.EndpointFrom))
	}
	for _, ask := range asks(p) {
		line("asks for", "%s", clean(ask))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func callText(c callJSON) string {
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
			b.WriteString("\n             " + f.name + " " + clean(f.value))
		}
	}
	for key, value := range sortedPairs(c.Tags) {
		b.WriteString("\n             tag " + clean(key) + "=" + clean(value))
	}
	if c.Duration > 0 {
		fmt.Fprintf(&b, "\n             duration %d s", c.Duration)
	}
	return b.String()
}

func sourceText(s profile.Source) string {
	if s.Profile == "" {
		return string(s.Kind)
	}
	return string(s.Kind) + " of profile " + clean(s.Profile)
}

func originText(o profile.Origin) string {
	if o == (profile.Origin{}) {
		return "from the role's partition"
	}
	return "from " + clean(o.String())
}
