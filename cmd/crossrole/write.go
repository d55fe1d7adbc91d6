package main

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/output"
	"crossrole/internal/profile"
)

// write puts the session into one section of the credentials file.
func (o *assumeOptions) write(ctx context.Context, a *app, r resolved) error {
	path, err := o.credentialsPath(a)
	if err != nil {
		return err
	}
	if err := o.refuseProcess(a); err != nil {
		return err
	}
	if o.dryRun {
		return o.showWrite(ctx, a, path, r)
	}
	// What would be refused is refused before anything is asked or called.
	if _, err := o.edit(ctx, path, placeholder(r), true); err != nil {
		return err
	}
	session, err := o.obtain(ctx, a, r)
	if err != nil {
		return err
	}
	if _, err := o.edit(ctx, path, credentials(r, session), false); err != nil {
		return err
	}
	until := ""
	if !session.Expires.IsZero() {
		until = ", until " + session.Expires.Format(time.RFC3339)
	}
	a.say("wrote profile " + strconv.Quote(o.writeProfile) + " to " + clean(path) + until)
	o.warnOfRole(a)
	return nil
}

// warnOfRole tells of keys beside a role_arn: the profile itself still assumes
// its role, and a chain that starts from it takes the keys, also when they have
// expired.
func (o *assumeOptions) warnOfRole(a *app) {
	set, err := a.profiles()
	if err != nil {
		return
	}
	if p, err := set.Profile(o.writeProfile); err == nil && p.Get("role_arn").IsSet() {
		a.say("warning: profile " + strconv.Quote(o.writeProfile) + " has a role_arn at " + p.Get("role_arn").Origin.String() +
			" too: profiles that name it as source_profile now start from these keys; another name keeps the two apart")
	}
}

// showWrite prints the change with its secrets masked; the session is not
// fetched for it.
func (o *assumeOptions) showWrite(ctx context.Context, a *app, path string, r resolved) error {
	result, err := o.edit(ctx, path, placeholder(r), true)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, result.Diff())
	return err
}

func (o *assumeOptions) edit(ctx context.Context, path string, c output.Credentials, dryRun bool) (profile.EditResult, error) {
	s := o.section(path, c)
	return profile.EditSection(ctx, path, s.Name, s.Decide, profile.EditOptions{DryRun: dryRun})
}

// section is the session's section, and when it may be written.
func (o *assumeOptions) section(path string, c output.Credentials) profile.SectionEdit {
	return profile.SectionEdit{Name: o.writeProfile, Decide: func(s profile.Section) (profile.Edit, error) {
		if err := o.mayReplace(path, s); err != nil {
			return profile.Edit{}, err
		}
		return sectionEdit(c), nil
	}}
}

// sectionEdit says what of the section changes.
func sectionEdit(c output.Credentials) profile.Edit {
	set, remove := output.Section(c)
	edit := profile.Edit{Remove: remove}
	for _, p := range set {
		edit.Set = append(edit.Set, profile.Setting{Key: p.Key, Value: p.Value})
	}
	return edit
}

// placeholder stands for a session that was not fetched.
func placeholder(r resolved) output.Credentials {
	const unknown = "of-the-new-session"
	c := output.Credentials{AccessKeyID: unknown, SecretAccessKey: unknown, SessionToken: unknown, Profile: r.chain.Name, Region: r.region()}
	if n := len(r.plan.Calls); n > 0 {
		call := r.plan.Calls[n-1]
		c.AccountID = call.Role.Account
		c.ARN = "arn:" + call.Role.Partition + ":sts::" + call.Role.Account + ":assumed-role/" + call.Role.Name + "/" + call.SessionName
	}
	return c
}

// mayReplace refuses what would lose keys that can't be had again: long-term
// keys, or a credential_process that they would shadow.
func (o *assumeOptions) mayReplace(path string, s profile.Section) error {
	if o.force {
		return nil
	}
	has := func(key string) bool { return s.Properties[key].Text != "" }
	switch {
	case has("credential_process"):
		return o.refusal(path, "it has a credential_process, which the keys would shadow")
	case has("aws_access_key_id") && !has("aws_session_token") && !has("aws_security_token"):
		return o.refusal(path, "it holds long-term keys, which would be lost")
	}
	return nil
}

// refuseProcess looks at the same profile in the config file, whose
// credential_process written keys would shadow.
func (o *assumeOptions) refuseProcess(a *app) error {
	set, err := a.profiles()
	if err != nil || o.force {
		return err
	}
	if p, err := set.Profile(o.writeProfile); err == nil {
		if v := p.Get("credential_process"); v.IsSet() {
			return o.refusal(v.Origin.String(), "it has a credential_process, which the keys would shadow")
		}
	}
	return nil
}

func (o *assumeOptions) refusal(where, why string) error {
	return &configError{
		Why:    "profile " + strconv.Quote(o.writeProfile) + " (" + clean(where) + ") is not written: " + why,
		Advice: []string{"choose another name, or give --force"},
	}
}

func (o *assumeOptions) credentialsPath(a *app) (string, error) {
	if o.credentialsFile != "" {
		return expandHome(o.credentialsFile, a.home()), nil
	}
	files, err := profile.DefaultFiles(a.getenv, a.home())
	return files.Credentials, err
}

// expandHome reads a leading ~ as shells do, for a flag given as --flag=~/x.
func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return path
}
