package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"crossrole/internal/output/plantext"
	"crossrole/internal/profile"
)

const showHelp = `Prints what a profile stands for: where its credentials come from, each role
on the way, the region, and every property with the file and line that it was
read from. Without PROFILE it is AWS_PROFILE, then AWS_DEFAULT_PROFILE, then
"default". Secrets are masked. Nothing is asked of AWS.`

type showOptions struct{ format string }

func newShowCmd(a *app) *cobra.Command {
	o := &showOptions{}
	cmd := &cobra.Command{
		Use:   "show [PROFILE]",
		Short: "Show one profile, and where each of its values comes from",
		Long:  showHelp,
		Example: `  crossrole show prod
  crossrole show prod --format json | jq -r '.hops[].role_arn'
  AWS_PROFILE=prod crossrole show`,
		Args: noMoreThan(1, "profile"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkFormat(o.format, "text", "json"); err != nil {
				return err
			}
			name := profile.SelectedProfile(a.getenv).Text
			if len(args) > 0 {
				name = args[0]
			}
			return o.run(a, name)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "how to print: text or json")
	return cmd
}

func (o *showOptions) run(a *app, name string) error {
	set, err := a.profiles()
	if err != nil {
		return err
	}
	p, err := set.Profile(name)
	if err != nil {
		return err
	}
	chain, err := set.Resolve(name)
	if err != nil {
		return err
	}
	problems := set.Problems(chainProfiles(chain)...)
	if o.format == "json" {
		return printJSON(a.out, newShowJSON(p, chain, problems))
	}
	for _, found := range problems {
		a.say("warning: " + found.String())
	}
	_, err = io.WriteString(a.out, showText(p, chain))
	return err
}

func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// chainProfiles names the profiles that a chain is made of, the source first.
func chainProfiles(c profile.Chain) []string {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(c.Source.Profile)
	for _, hop := range c.Hops {
		add(hop.Profile)
	}
	add(c.Name)
	return names
}

// showJSON is the documented shape of `show --format json`.
type showJSON struct {
	Version    int                     `json:"version"`
	Name       string                  `json:"name"`
	Source     *showSource             `json:"source"` // null: the profile has no credentials
	Hops       []showHop               `json:"hops"`   // in the order of the calls
	Region     *string                 `json:"region"` // null: nobody chose one
	Endpoint   string                  `json:"endpoint,omitempty"`
	Properties map[string]showProperty `json:"properties"`
	Problems   []problemJSON           `json:"problems,omitempty"`
}

type showSource struct {
	Kind    string `json:"kind"`
	Profile string `json:"profile"`
	// Web identity sources assume a role themselves.
	RoleARN         string `json:"role_arn,omitempty"`
	SessionName     string `json:"session_name,omitempty"`
	DurationSeconds any    `json:"duration_seconds,omitempty"`
}

// showHop is one AssumeRole call as the profile writes it. What the profile
// doesn't write is null.
type showHop struct {
	Profile         string            `json:"profile"`
	RoleARN         string            `json:"role_arn"`
	ExternalID      *string           `json:"external_id"`
	MFASerial       *string           `json:"mfa_serial"`
	SessionName     *string           `json:"session_name"`
	DurationSeconds any               `json:"duration_seconds"` // a number, or the text if it is none
	SourceIdentity  *string           `json:"source_identity"`
	SessionTags     map[string]string `json:"session_tags"`
	TransitiveTags  []string          `json:"transitive_session_tags"`
	PolicyFile      *string           `json:"session_policy_file"`
	PolicyARNs      []string          `json:"session_policy_arns"`
}

// showProperty is a property with its origin. Nested is the block that
// indented lines make under an empty value.
type showProperty struct {
	Value  string                  `json:"value"`
	File   string                  `json:"file"`
	Line   int                     `json:"line"`
	Nested map[string]showProperty `json:"nested,omitempty"`
}

type problemJSON struct {
	Kind    string `json:"kind"`
	Profile string `json:"profile,omitempty"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Text    string `json:"text"`
}

func newShowJSON(p *profile.Profile, c profile.Chain, problems []profile.Problem) showJSON {
	out := showJSON{
		Version: 1, Name: c.Name, Hops: []showHop{}, Region: textOrNull(c.Settings.Region),
		Endpoint:   profile.Mask("endpoint_url", c.Settings.Endpoint.Text),
		Properties: showProperties(p.Properties, p.Nested), Problems: problemsJSON(problems),
	}
	if c.Source.Kind != "" {
		out.Source = newShowSource(c.Source)
	}
	for _, hop := range c.Hops {
		out.Hops = append(out.Hops, newShowHop(hop))
	}
	return out
}

func newShowSource(s profile.Source) *showSource {
	out := &showSource{Kind: string(s.Kind), Profile: s.Profile}
	if s.Role != nil {
		out.RoleARN, out.SessionName = s.Role.RoleARN.Text, s.Role.SessionName.Text
		out.DurationSeconds = number(s.Role.DurationSeconds)
	}
	return out
}

func newShowHop(h profile.Hop) showHop {
	out := showHop{
		Profile: h.Profile, RoleARN: h.RoleARN.Text, ExternalID: textOrNull(h.ExternalID), MFASerial: textOrNull(h.MFASerial),
		SessionName: textOrNull(h.SessionName), DurationSeconds: number(h.DurationSeconds), SourceIdentity: textOrNull(h.SourceIdentity),
		TransitiveTags: valueTexts(h.TransitiveTags), PolicyFile: textOrNull(h.PolicyFile), PolicyARNs: valueTexts(h.PolicyARNs),
	}
	for _, tag := range h.SessionTags {
		if out.SessionTags == nil {
			out.SessionTags = map[string]string{}
		}
		out.SessionTags[tag.Key] = tag.Value.Text
	}
	return out
}

// textOrNull is the value's text, or nothing if nobody wrote it.
func textOrNull(v profile.Value) *string {
	if !v.IsSet() {
		return nil
	}
	return &v.Text
}

// number is the value as a number, as its text if it is none, or nothing.
func number(v profile.Value) any {
	if !v.IsSet() {
		return nil
	}
	if n, err := strconv.Atoi(v.Text); err == nil {
		return n
	}
	return v.Text
}

func valueTexts(values []profile.Value) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.Text)
	}
	return out
}

func showProperties(values map[string]profile.Value, nested map[string]map[string]profile.Value) map[string]showProperty {
	out := make(map[string]showProperty, len(values))
	for key, v := range values {
		property := showProperty{Value: profile.Mask(key, v.Text), File: v.Origin.File, Line: v.Origin.Line}
		if block, ok := nested[key]; ok && !profile.IsSecret(key) {
			property.Nested = showProperties(block, nil)
		}
		out[key] = property
	}
	return out
}

func problemsJSON(problems []profile.Problem) []problemJSON {
	var out []problemJSON
	for _, p := range problems {
		out = append(out, problemJSON{string(p.Kind), p.Profile, p.Origin.File, p.Origin.Line, p.Text})
	}
	return out
}

// showText is what a person reads.
func showText(p *profile.Profile, c profile.Chain) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(label, value, from string) { _, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", label, value, from) }
	row("profile", clean(c.Name), "")
	row("source", showSourceText(c.Source), "")
	for i, hop := range c.Hops {
		row("hop "+strconv.Itoa(i+1), clean(hop.RoleARN.Text), originOf(hop.RoleARN))
		hopRows(hop, row)
	}
	if v := c.Settings.Region; v.IsSet() {
		row("region", clean(v.Text), originOf(v))
	}
	if v := c.Settings.Endpoint; v.IsSet() {
		row("endpoint", clean(profile.Mask("endpoint_url", v.Text)), originOf(v))
	}
	row("", "", "")
	for key, v := range sortedPairs(p.Properties) {
		propertyRows(key, v, p.Nested[key], row)
	}
	_ = t.Flush()
	return trimLines(b.String())
}

func showSourceText(s profile.Source) string {
	if s.Kind == "" {
		return "none: the profile holds no credentials and no role"
	}
	if s.Role != nil {
		return plantext.NewSource(s).Text() + ", as " + clean(s.Role.RoleARN.Text)
	}
	return plantext.NewSource(s).Text()
}

// hopRows prints what goes into the call besides the role.
func hopRows(h profile.Hop, row func(label, value, from string)) {
	add := func(label string, v profile.Value) {
		if v.IsSet() {
			row("", label+" "+clean(v.Text), originOf(v))
		}
	}
	add("external_id", h.ExternalID)
	add("mfa_serial", h.MFASerial)
	add("role_session_name", h.SessionName)
	add("duration_seconds", h.DurationSeconds)
	add("source_identity", h.SourceIdentity)
	for _, tag := range h.SessionTags {
		add("session tag "+clean(tag.Key)+" =", tag.Value)
	}
	for _, key := range h.TransitiveTags {
		add("transitive tag", key)
	}
	add("session_policy_file", h.PolicyFile)
	for _, arn := range h.PolicyARNs {
		add("session policy", arn)
	}
}

func propertyRows(key string, v profile.Value, block map[string]profile.Value, row func(label, value, from string)) {
	if block == nil || profile.IsSecret(key) {
		row(clean(key), clean(profile.Mask(key, v.Text)), originOf(v))
		return
	}
	row(clean(key), "", originOf(v))
	for name, inner := range sortedPairs(block) {
		row("  "+clean(name), clean(profile.Mask(name, inner.Text)), originOf(inner))
	}
}

func originOf(v profile.Value) string { return clean(v.Origin.String()) }

// trimLines takes the blanks off the ends of a table's lines.
func trimLines(table string) string {
	lines := strings.Split(table, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
