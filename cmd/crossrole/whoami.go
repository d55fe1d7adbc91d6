package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/output/plantext"
	"crossrole/internal/profile"
)

const whoamiHelp = `Asks AWS whose credentials these are (sts:GetCallerIdentity, which needs no
permission), and shows the chain that led there and what in the environment
other programs would take instead.

With PROFILE it is that profile's session. Without, it is what an AWS client in
this shell would use: the environment's keys if there are any, else AWS_PROFILE
or "default", else a container's endpoint.`

type whoamiOptions struct {
	planFlags
	format string
}

func newWhoamiCmd(a *app) *cobra.Command {
	o := &whoamiOptions{}
	cmd := &cobra.Command{
		Use:   "whoami [PROFILE]",
		Short: "Show who AWS says you are, and the chain that led there",
		Long:  whoamiHelp,
		Example: `  crossrole whoami
  crossrole whoami prod
  crossrole whoami prod --format json | jq -r .arn`,
		Args: noMoreThan(1, "profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.format, "format", "text", "how to print: text or json")
	return cmd
}

func (o *whoamiOptions) check() error {
	if err := checkFormat(o.format, "text", "json"); err != nil {
		return err
	}
	return o.planFlags.check()
}

func (o *whoamiOptions) run(ctx context.Context, a *app, name string) error {
	r, err := o.subject(a, name)
	if err != nil {
		return err
	}
	warn(a, r)
	runner, err := assume.NewRunner(r.plan.Where, o.deps(a))
	if err != nil {
		return err
	}
	provider, err := runner.Provider(r.plan)
	if err != nil {
		return err
	}
	session, err := provider.Credentials(ctx)
	if err != nil {
		return err
	}
	identity, err := runner.WhoAmI(ctx, session)
	if err != nil {
		return err
	}
	report := newWhoami(r, session, identity, shadows(a.getenv, r, name != ""))
	if o.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	_, err = io.WriteString(a.out, report.text(a.now()))
	return err
}

// subject is whose identity is asked for.
func (o *whoamiOptions) subject(a *app, name string) (resolved, error) {
	if name != "" || o.over.RoleARN != "" {
		return o.plan(a, name)
	}
	keys := a.getenv("AWS_ACCESS_KEY_ID") != "" && a.getenv("AWS_SECRET_ACCESS_KEY") != ""
	if keys {
		return o.ambient(a, profile.SourceEnvironment)
	}
	r, err := o.plan(a, "")
	if err == nil && (r.chain.Source.Kind != "" || len(r.chain.Hops) > 0) {
		return r, nil
	}
	// As for every SDK, an endpoint counts where no profile has credentials.
	_, unknown := errors.AsType[*profile.UnknownProfileError](err)
	if endpointNamed(a.getenv) && (err == nil || unknown && !profile.SelectedProfile(a.getenv).IsSet()) {
		return o.ambient(a, profile.SourceContainer)
	}
	return r, err
}

func endpointNamed(getenv func(string) string) bool {
	return getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "" || getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != ""
}

// ambient plans for credentials that no profile holds. The selected profile's
// settings (region, endpoint) count all the same, as they do for the AWS CLI.
func (o *whoamiOptions) ambient(a *app, kind profile.SourceKind) (resolved, error) {
	set, err := a.profiles()
	if err != nil {
		return resolved{}, err
	}
	chain, err := set.Resolve(profile.SelectedProfile(a.getenv).Text)
	if err != nil {
		chain = profile.Chain{Settings: environmentSettings(a.getenv)}
	}
	chain.Name, chain.Source, chain.Hops = "", profile.Source{Kind: kind}, nil
	over := o.over
	over.Who = a.who()
	plan, err := assume.NewPlan(chain, over)
	return resolved{chain: chain, plan: plan, from: newSources(a)}, err
}

func environmentSettings(getenv func(string) string) profile.Settings {
	first := func(names ...string) profile.Value {
		for _, n := range names {
			if text := getenv(n); text != "" {
				return profile.Value{Text: text, Origin: profile.Origin{Env: n}}
			}
		}
		return profile.Value{}
	}
	s := profile.Settings{
		Region:            first("AWS_REGION", "AWS_DEFAULT_REGION"),
		RegionalEndpoints: first("AWS_STS_REGIONAL_ENDPOINTS"),
		CABundle:          first("AWS_CA_BUNDLE"),
		UseFIPS:           first("AWS_USE_FIPS_ENDPOINT"),
		UseDualstack:      first("AWS_USE_DUALSTACK_ENDPOINT"),
	}
	if !strings.EqualFold(getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		s.Endpoint = first("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
	}
	return s
}

// whoamiJSON is the documented shape of `whoami --format json`.
type whoamiJSON struct {
	Version   int             `json:"version"`
	Account   string          `json:"account"`
	ARN       string          `json:"arn"`
	UserID    string          `json:"user_id"`
	Profile   string          `json:"profile"`    // "" for credentials that no profile holds
	ExpiresAt *time.Time      `json:"expires_at"` // null for credentials that don't expire
	Source    plantext.Source `json:"source"`
	Chain     []linkJSON      `json:"chain"` // the roles in the order in which they were assumed
	Region    string          `json:"region"`
	Shadows   []shadowJSON    `json:"shadows"`
}

type linkJSON struct {
	Profile string `json:"profile"`
	RoleARN string `json:"role_arn"`
}

// shadowJSON is something in the environment that wins, or that loses.
type shadowJSON struct {
	Variable string `json:"variable"`
	Effect   string `json:"effect"`
}

func newWhoami(r resolved, s assume.Session, id assume.Identity, found []shadowJSON) whoamiJSON {
	w := whoamiJSON{
		Version: 1, Account: id.Account, ARN: id.ARN, UserID: id.UserID, Profile: r.chain.Name,
		Source: plantext.NewSource(r.plan.Source),
		Chain:  []linkJSON{}, Region: r.plan.Where.Region, Shadows: append([]shadowJSON{}, found...),
	}
	if !s.Expires.IsZero() {
		at := s.Expires.UTC().Truncate(time.Second)
		w.ExpiresAt = &at
	}
	if e := r.plan.Exchange; e != nil {
		w.Chain = append(w.Chain, linkJSON{e.Profile, e.Role.String()})
	}
	for _, c := range r.plan.Calls {
		w.Chain = append(w.Chain, linkJSON{c.Profile, c.Role.String()})
	}
	return w
}

func (w whoamiJSON) text(now time.Time) string {
	var b strings.Builder
	line := func(label, text string) { fmt.Fprintf(&b, "%-12s %s\n", label, text) }
	line("arn", clean(w.ARN))
	line("account", clean(w.Account))
	line("user id", clean(w.UserID))
	if w.Profile != "" {
		line("profile", clean(w.Profile))
	}
	line("source", w.Source.Text())
	for _, link := range w.Chain {
		line("role", clean(link.RoleARN))
	}
	if at := w.ExpiresAt; at != nil {
		line("expires", fmt.Sprintf("%s (in %s)", at.Format(time.RFC3339), assume.Spell(at.Sub(now))))
	} else {
		line("expires", "never, as far as is known")
	}
	for _, s := range w.Shadows {
		line("environment", s.Variable+": "+s.Effect)
	}
	return b.String()
}

// shadows names what in the environment decides, or would decide otherwise, in
// programs that are run from here.
func shadows(getenv func(string) string, r resolved, named bool) []shadowJSON {
	found := selectionShadows(getenv, r, named)
	if endpointNamed(getenv) && r.plan.Source.Kind != profile.SourceContainer {
		found = append(found, shadowJSON{"AWS_CONTAINER_CREDENTIALS_*", "not used: keys and profiles win over a container's endpoint"})
	}
	if getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" && r.plan.Source.Kind != profile.SourceWebIdentity {
		found = append(found, shadowJSON{"AWS_WEB_IDENTITY_TOKEN_FILE", "some clients take this before a profile that is not named"})
	}
	return append(found, placeShadows(getenv, r)...)
}

// selectionShadows are those between keys and profiles.
func selectionShadows(getenv func(string) string, r resolved, named bool) (found []shadowJSON) {
	add := func(variable, format string, args ...any) {
		found = append(found, shadowJSON{variable, fmt.Sprintf(format, args...)})
	}
	id, secret := getenv("AWS_ACCESS_KEY_ID") != "", getenv("AWS_SECRET_ACCESS_KEY") != ""
	selected, name := profile.SelectedProfile(getenv), strconv.Quote(r.chain.Name)
	switch {
	case id != secret:
		add("AWS_ACCESS_KEY_ID", "it and AWS_SECRET_ACCESS_KEY are not both set: the AWS CLI stops, other clients look further")
	case id && named:
		add("AWS_ACCESS_KEY_ID", "AWS clients that are not told a profile use these keys, not profile %s", name)
	case id && selected.IsSet():
		add("AWS_ACCESS_KEY_ID", "these keys win over %s=%s", selected.Origin.Env, strconv.Quote(selected.Text))
	case named && selected.IsSet() && selected.Text != r.chain.Name:
		add(selected.Origin.Env, "AWS clients that are not told a profile use %s, not %s", strconv.Quote(selected.Text), name)
	}
	if second := getenv("AWS_DEFAULT_PROFILE"); selected.Origin.Env == "AWS_PROFILE" && second != "" && second != selected.Text {
		add("AWS_DEFAULT_PROFILE", "not used: AWS_PROFILE wins")
	}
	return found
}

// placeShadows are those that change where calls go.
func placeShadows(getenv func(string) string, r resolved) []shadowJSON {
	var found []shadowJSON
	if own := r.chain.Properties["region"]; own.IsSet() && r.plan.Where.RegionFrom.Env != "" && own.Text != r.plan.Where.Region {
		found = append(found, shadowJSON{r.plan.Where.RegionFrom.Env, "wins over the profile's region " + strconv.Quote(own.Text)})
	}
	if one, other := getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"); one != "" && other != "" && one != other {
		found = append(found, shadowJSON{"AWS_REGION", "differs from AWS_DEFAULT_REGION: the AWS CLI and boto3 use the latter, other SDKs the former"})
	}
	if env := r.plan.Where.EndpointFrom.Env; env != "" {
		found = append(found, shadowJSON{env, "calls go to " + strconv.Quote(r.plan.Where.Endpoint)})
	}
	return found
}
