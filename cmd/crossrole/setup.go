package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/disk"
	"crossrole/internal/policy"
	"crossrole/internal/profile"
)

const setupHelp = `Sets a role assumption up in one go: writes the profile NAME into ~/.aws/config,
and the documents of both sides: the role's trust policy, and the permission
policy of who assumes it. It calls nothing; what is left to do in which account
is said at the end.

The change of the file is shown as a diff first and asked about on the terminal;
--yes does not ask. Only that section changes, atomically. What is missing is
asked for when there is a terminal.

The documents are printed, or written into --out. Who assumes the role is read
from the source profile if that is a role itself; otherwise say it with --caller.`

// setupOptions is what the command line of setup says.
type setupOptions struct {
	sideFlags
	sourceProfile string
	mfaSerial     string
	duration      string
	sessionName   string
	region        string
	out           string
	as            string
	yes           bool
	dryRun        bool
	force         bool
	noInput       bool
}

func newSetupCmd(a *app) *cobra.Command {
	o := &setupOptions{}
	cmd := &cobra.Command{
		Use:   "setup NAME",
		Short: "Write a profile and both sides' documents in one go",
		Long:  setupHelp,
		Example: `  crossrole setup prod --role-arn arn:aws:iam::222222222222:role/RoleB --source-profile me --caller arn:aws:iam::111111111111:user/A-san
  crossrole setup partner --role-arn arn:aws:iam::222222222222:role/ForUs --source-profile me --caller 123456780123 --external-id ExternalId123 --yes
  crossrole setup prod --role-arn arn:aws:iam::222222222222:role/RoleB --source-profile hub --out ./prod --as terraform`,
		Args: exactlyOne("name for the profile", "crossrole setup prod --role-arn arn:aws:iam::222222222222:role/RoleB --source-profile me"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), a, args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.sourceProfile, "source-profile", "", "the profile whose credentials assume the role")
	flags.StringVar(&o.mfaSerial, "mfa-serial", "", "serial number or ARN of the MFA device; the trust policy then demands MFA")
	flags.StringVar(&o.duration, "duration", "", "duration_seconds of the profile: 900 to 43200 seconds, or such as 1h30m")
	flags.StringVar(&o.sessionName, "session-name", "", "role_session_name of the profile")
	flags.StringVar(&o.region, "region", "", "region of the profile")
	flags.StringVar(&o.out, "out", "", "folder for the documents, instead of printing them")
	flags.StringVar(&o.as, "as", "json", "the documents as json, cloudformation or terraform")
	flags.BoolVar(&o.yes, "yes", false, "don't ask before the profile is written")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what would be written, and write nothing")
	flags.BoolVar(&o.force, "force", false, "replace documents in --out that differ")
	flags.BoolVar(&o.noInput, "no-input", false, "never ask for what is missing")
	return cmd
}

func (o *setupOptions) check() error {
	if o.as != "json" && o.as != "cloudformation" && o.as != "terraform" {
		return usagef("--as %s: there are json, cloudformation and terraform", strconv.Quote(o.as))
	}
	if o.force && o.out == "" {
		return usagef("--force goes with --out")
	}
	return o.sideFlags.check()
}

func (o *setupOptions) run(ctx context.Context, a *app, name string) error {
	set, err := a.profiles()
	if err != nil {
		return err
	}
	if err := o.askMissing(ctx, a, set, name); err != nil {
		return err
	}
	sides, err := o.build(a, rand.Reader)
	if err != nil {
		return err
	}
	edit, err := o.edit(a, set, name, sides)
	if err != nil {
		return err
	}
	docs, err := o.documents(sides)
	if err != nil {
		return err
	}
	if err := o.mayWrite(docs); err != nil {
		return err
	}
	if done, err := o.writeProfile(ctx, a, set.Files().Config, name, edit); err != nil || !done {
		return err
	}
	if err := o.deliver(ctx, a, docs); err != nil {
		return err
	}
	_, _ = io.WriteString(a.err, o.leftToDo(name, sides, docs))
	return nil
}

// source resolves the source profile. A profile may be its own source if it has keys.
func (o *setupOptions) source(set *profile.Set, name string) (profile.Chain, error) {
	if o.sourceProfile == name {
		p, err := set.Profile(name)
		if err != nil {
			return profile.Chain{}, err
		}
		if !p.Get("aws_access_key_id").IsSet() {
			return profile.Chain{}, &configError{Why: "profile " + strconv.Quote(name) + " can't be its own source: it has no keys"}
		}
		return profile.Chain{Name: name, Source: profile.Source{Kind: profile.SourceStatic, Profile: name, Properties: p.Properties}}, nil
	}
	chain, err := set.Resolve(o.sourceProfile)
	if err != nil {
		return chain, err
	}
	for _, h := range chain.Hops {
		if h.Profile == name {
			return chain, &configError{Why: "profile " + strconv.Quote(o.sourceProfile) + " itself starts from " + strconv.Quote(name) + ": that would be a cycle"}
		}
	}
	return chain, nil
}

// settings are the section's properties in the order in which they are written.
func (o *setupOptions) settings(s *bothSides) ([]profile.Setting, error) {
	seconds := ""
	if o.duration != "" {
		d, err := assume.ParseDuration(o.duration)
		if err != nil {
			return nil, usagef("--duration %s: %s", strconv.Quote(o.duration), err)
		}
		seconds = strconv.Itoa(int(d.Seconds()))
	}
	var out []profile.Setting
	for _, p := range []profile.Setting{
		{Key: "role_arn", Value: o.roleARN},
		{Key: "source_profile", Value: o.sourceProfile},
		{Key: "external_id", Value: s.spec.ExternalID},
		{Key: "mfa_serial", Value: o.mfaSerial},
		{Key: "role_session_name", Value: o.sessionName},
		{Key: "duration_seconds", Value: seconds},
		{Key: "region", Value: o.region},
	} {
		if p.Value != "" {
			out = append(out, p)
		}
	}
	return out, nil
}

// edit says what changes, after the chain that it makes was planned: a profile that can't work is not written.
func (o *setupOptions) edit(a *app, set *profile.Set, name string, s *bothSides) (profile.Edit, error) {
	settings, err := o.settings(s)
	if err != nil {
		return profile.Edit{}, err
	}
	chain, err := o.source(set, name)
	if err != nil {
		return profile.Edit{}, err
	}
	hop := profile.Hop{Profile: name}
	values := map[string]*profile.Value{
		"role_arn": &hop.RoleARN, "external_id": &hop.ExternalID, "mfa_serial": &hop.MFASerial,
		"role_session_name": &hop.SessionName, "duration_seconds": &hop.DurationSeconds,
	}
	for _, p := range settings {
		if v := values[p.Key]; v != nil {
			*v = profile.Value{Text: p.Value, Origin: profile.Origin{File: "setup"}}
		}
	}
	chain.Name, chain.Hops = name, append(append([]profile.Hop(nil), chain.Hops...), hop)
	plan, err := assume.NewPlan(chain, assume.Overrides{Who: a.who(), Region: o.region})
	if err != nil {
		return profile.Edit{}, err
	}
	for _, w := range plan.Warnings {
		a.say("warning: " + w)
	}
	if o.requireMFA && o.mfaSerial == "" && plan.MFASession == nil && chain.Source.Kind == profile.SourceStatic && len(chain.Hops) == 1 {
		a.say("warning: the trust policy demands MFA, and the profile names no device: it would be denied; --mfa-serial names it")
	}
	return profile.Edit{Set: settings, Remove: []string{"credential_source"}}, nil
}

// writeProfile shows the diff, asks, and writes. done is false when nothing was wanted.
func (o *setupOptions) writeProfile(ctx context.Context, a *app, path, name string, edit profile.Edit) (done bool, err error) {
	decide := func(profile.Section) (profile.Edit, error) { return edit, nil }
	section := "profile " + name
	if name == "default" {
		section = name
	}
	result, err := profile.EditSection(ctx, path, section, decide, profile.EditOptions{Config: true, DryRun: true})
	if err != nil {
		return false, err
	}
	if !result.Changed {
		a.say("profile " + strconv.Quote(name) + " in " + clean(path) + " is already so")
		return true, nil
	}
	_, _ = io.WriteString(a.err, result.Diff())
	if o.dryRun {
		return true, nil
	}
	if !o.yes {
		yes, err := a.confirm(ctx, "Write this to "+clean(path)+"?")
		if err != nil || !yes {
			return false, orRefused(err, name)
		}
	}
	if _, err := profile.EditSection(ctx, path, section, decide, profile.EditOptions{Config: true}); err != nil {
		return false, err
	}
	a.say("wrote profile " + strconv.Quote(name) + " to " + clean(path))
	return true, nil
}

// orRefused is what a "no" is: nothing went wrong, and nothing was done.
func orRefused(err error, name string) error {
	if err != nil {
		return err
	}
	return &exitError{Code: exitFailed, Err: errors.New("profile " + strconv.Quote(name) + " is not written, and nothing else either")}
}

// sideDocument is one document of a side with the name of its file.
type sideDocument struct {
	side, file, text string
}

// documents renders both sides: the role's, then the callers'.
func (o *setupOptions) documents(s *bothSides) ([]sideDocument, error) {
	roleName := s.roleARN[strings.LastIndexByte(s.roleARN, '/')+1:]
	extension := map[string]string{"json": ".json", "cloudformation": ".yaml", "terraform": ".tf"}[o.as]
	if o.as == "json" {
		docs := []sideDocument{
			{sideRole, "trust-policy-of-" + roleName + extension, s.trust.Indented()},
			{sideCaller, s.name + extension, s.permission.Indented()},
		}
		if s.grant != nil {
			docs = append(docs, sideDocument{sideRole, "grant-of-" + roleName + extension, s.grant.Indented()})
		}
		return docs, nil
	}
	text, err := s.template(o.as, sideRole, "")
	if err != nil {
		return nil, err
	}
	docs := []sideDocument{{sideRole, "role-" + roleName + extension, text}}
	accounts := s.accounts()
	for _, account := range accounts {
		file := s.name + extension
		if len(accounts) > 1 {
			file = s.name + "-" + account + extension
		}
		text, err := s.template(o.as, sideCaller, account)
		if err != nil {
			return nil, err
		}
		docs = append(docs, sideDocument{sideCaller, file, text})
	}
	return docs, nil
}

// mayWrite refuses, before anything else is written, to replace a document that somebody has changed.
func (o *setupOptions) mayWrite(docs []sideDocument) error {
	if o.out == "" || o.force {
		return nil
	}
	for _, d := range docs {
		file := filepath.Join(o.out, d.file)
		have, err := os.ReadFile(file)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return fileError("reading", file, err)
		case !bytes.Equal(have, []byte(d.text)):
			return &configError{Why: "writing " + strconv.Quote(file) + ": it is there already and differs", Advice: []string{"choose another --out, or give --force"}}
		}
	}
	return nil
}

// deliver prints the documents, or writes each into its file.
func (o *setupOptions) deliver(ctx context.Context, a *app, docs []sideDocument) error {
	if o.out == "" || o.dryRun {
		_, err := io.WriteString(a.out, joinDocuments(o.as, docs))
		return err
	}
	if err := os.MkdirAll(o.out, 0o750); err != nil {
		return fileError("making folder", o.out, err)
	}
	for _, d := range docs {
		file := filepath.Join(o.out, d.file)
		if err := disk.ReplaceFile(ctx, file, []byte(d.text)); err != nil {
			return fileError("writing", file, err)
		}
		a.say("wrote " + clean(file))
	}
	return nil
}

// joinDocuments puts the documents after each other, so that each can be told from the next: JSON texts in a row are what
// jq reads, YAML and HCL have comments.
func joinDocuments(as string, docs []sideDocument) string {
	var b strings.Builder
	for i, d := range docs {
		switch as {
		case "cloudformation":
			b.WriteString("--- # " + d.file + "\n")
		case "terraform":
			b.WriteString("# " + d.file + "\n")
		}
		b.WriteString(d.text)
		if as == "terraform" && i < len(docs)-1 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// leftToDo says what a person still has to do, and in which account.
func (o *setupOptions) leftToDo(name string, s *bothSides, docs []sideDocument) string {
	t := &lines{}
	t.add("left to do:")
	step := 0
	next := func(format string, args ...any) {
		step++
		t.add("  "+strconv.Itoa(step)+". "+format, args...)
	}
	roleFile := o.place(docs, sideRole, "")
	roleName := s.roleARN[strings.LastIndexByte(s.roleARN, '/')+1:]
	next("in account %s, where the role is: give %s the trust policy (%s)", s.role.Account, s.roleARN, roleFile)
	if o.as == "json" && o.out != "" {
		t.add("     new:      aws iam create-role --role-name %s --assume-role-policy-document file://%s%s", roleName, shellWord(roleFile), pathFlag(s.role))
		t.add("     existing: aws iam update-assume-role-policy --role-name %s --policy-document file://%s (it replaces what is there)", roleName, shellWord(roleFile))
	}
	for _, c := range s.spec.Callers {
		o.callerStep(t, next, c, s, o.place(docs, sideCaller, callerAccount(c)))
	}
	next("then ask: crossrole explain %s --live, and use it: eval $(crossrole assume %s)", shellWord(name), shellWord(name))
	return t.String()
}

func (o *setupOptions) callerStep(t *lines, next func(string, ...any), caller string, s *bothSides, file string) {
	a, _ := policy.ParseARN(caller)
	account := callerAccount(caller)
	kind, rest, _ := strings.Cut(a.Resource, "/")
	who := map[string]string{"user": "user ", "role": "role "}[kind] + rest[strings.LastIndexByte(rest, '/')+1:]
	switch {
	case policy.IsAccountID(caller) || a.Resource == "root":
		next("in account %s, which may let in whom it wants: attach %s to the users and roles that shall assume it (%s)", account, s.name, file)
		return
	case account == s.role.Account:
		next("in account %s nothing for %s: the trust policy names it, and that is enough in one account", account, caller)
		return
	}
	next("in account %s, where the caller is: attach %s to %s (%s)", account, s.name, who, file)
	if o.as == "json" && o.out != "" && (kind == "user" || kind == "role") {
		t.add("     aws iam put-%s-policy --%s-name %s --policy-name %s --policy-document file://%s", kind, kind,
			shellWord(rest[strings.LastIndexByte(rest, '/')+1:]), s.name, shellWord(file))
	}
}

// place is where a side's document went; where there is one for each account, that of this account.
func (o *setupOptions) place(docs []sideDocument, side, account string) string {
	file := ""
	for _, d := range docs {
		if d.side == side && (file == "" || account != "" && strings.Contains(d.file, "-"+account+".")) {
			file = d.file
		}
	}
	if o.out == "" || o.dryRun {
		return file + ", printed"
	}
	return filepath.Join(o.out, file)
}

func pathFlag(role policy.ARN) string {
	path := strings.TrimPrefix(role.Resource, "role")
	if path = path[:strings.LastIndexByte(path, '/')+1]; path == "/" {
		return ""
	}
	return " --path " + shellWord(path)
}
