package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/cache/sealed"
	"crossrole/internal/output"
	"crossrole/internal/profile"
)

// variables looks at the environment: what contradicts itself, what is left
// over, and who wins.
func (d *doctor) variables() {
	before := len(d.found)
	d.keyVariables()
	d.profileVariables()
	d.regionVariables()
	d.ownVariables()
	if len(d.found) == before {
		d.add(ailment{Kind: "variables", Level: levelOK, Text: "no AWS_* variable is in the way"})
	}
}

func (d *doctor) wrong(kind, text, fix string) {
	d.add(ailment{Kind: kind, Level: levelWrong, Text: text, Fix: fix})
}

func (d *doctor) note(kind, text, fix string) {
	d.add(ailment{Kind: kind, Level: levelNote, Text: text, Fix: fix})
}

func (d *doctor) keyVariables() {
	const unsetAll = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN"
	fix := unsetAll
	if d.getenv("CROSSROLE_PROFILE") != "" {
		fix = "eval $(crossrole unset)"
	}
	id, token, old := d.getenv("AWS_ACCESS_KEY_ID"), d.getenv("AWS_SESSION_TOKEN"), d.getenv("AWS_SECURITY_TOKEN")
	if half := halfOfKeys(id, d.getenv("AWS_SECRET_ACCESS_KEY"), token+old); half != "" {
		d.wrong("variables_half", half, unsetAll)
	} else if id != "" {
		d.keysWin(fix)
	}
	if old != "" && old != token {
		d.wrong("variables_old_token", "AWS_SECURITY_TOKEN differs from AWS_SESSION_TOKEN: the AWS CLI and boto3 send the former", "unset AWS_SECURITY_TOKEN")
	}
	if at, err := time.Parse(time.RFC3339, d.getenv("AWS_CREDENTIAL_EXPIRATION")); err == nil && id != "" && !at.After(d.now()) {
		d.wrong("variables_expired", "the keys in the environment expired at "+at.UTC().Format(time.RFC3339), fix)
	}
}

// halfOfKeys says what is missing of a group of keys, if something is.
func halfOfKeys(id, secret, token string) string {
	switch {
	case (id == "") != (secret == ""):
		return "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set: the AWS CLI stops, other clients look further"
	case id == "" && token != "":
		return "a session token is set without keys"
	case strings.HasPrefix(id, "ASIA") && token == "":
		return "AWS_ACCESS_KEY_ID is that of a session, and AWS_SESSION_TOKEN is not set"
	}
	return ""
}

// keysWin says what keys in the environment win over.
func (d *doctor) keysWin(fix string) {
	if s := profile.SelectedProfile(d.getenv); s.IsSet() {
		d.wrong("variables_keys_and_profile", "AWS_ACCESS_KEY_ID and "+s.Origin.Env+" are both set: the keys win over the profile "+strconv.Quote(s.Text), fix+"; or unset "+s.Origin.Env)
		return
	}
	d.note("variables_keys", "keys are in the environment: they win over every profile that is not named on a command line", fix)
}

func (d *doctor) profileVariables() {
	for _, entry := range d.environ() {
		if entry == "AWS_PROFILE=" || entry == "AWS_DEFAULT_PROFILE=" {
			name := strings.TrimSuffix(entry, "=")
			d.wrong("variables_empty_profile", name+" is set and empty: the AWS CLI and boto3 look for a profile without a name", "unset "+name)
		}
	}
	s := profile.SelectedProfile(d.getenv)
	if !s.IsSet() || d.set == nil {
		return
	}
	if _, err := d.set.Profile(s.Text); err != nil && !broken(err) {
		d.wrong("variables_unknown_profile", s.Origin.Env+" names a profile that is not there: "+strconv.Quote(s.Text), strings.Join(append([]string{"unset " + s.Origin.Env}, hintsOf(err)...), "; "))
	}
	if second := d.getenv("AWS_DEFAULT_PROFILE"); s.Origin.Env == "AWS_PROFILE" && second != "" && second != s.Text {
		d.note("variables_two_profiles", "AWS_PROFILE wins over AWS_DEFAULT_PROFILE, which names another profile", "unset AWS_DEFAULT_PROFILE")
	}
}

func (d *doctor) regionVariables() {
	if one, other := d.getenv("AWS_REGION"), d.getenv("AWS_DEFAULT_REGION"); one != "" && other != "" && one != other {
		d.wrong("variables_two_regions", "AWS_REGION and AWS_DEFAULT_REGION differ: the AWS CLI and boto3 use the latter, other SDKs the former", "set both to one region, or unset one")
	}
	if bundle := d.getenv("AWS_CA_BUNDLE"); bundle != "" {
		if _, err := os.Stat(bundle); err != nil {
			d.wrong("variables_ca_bundle", "AWS_CA_BUNDLE can't be read: "+reasonOf(err), "correct the path, or unset AWS_CA_BUNDLE")
		}
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"} {
		if d.getenv(name) != "" {
			d.note("variables_endpoint", name+" is set: calls do not go to AWS's own address", "unset "+name)
			return
		}
	}
}

// ownVariables names those that look like ours and that nothing reads.
func (d *doctor) ownVariables() {
	known := ownNames(d.root)
	for _, entry := range d.environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "CROSSROLE_") && !known[name] {
			d.note("variables_unknown", clean(name)+" is not a variable that crossrole reads", "unset it; every flag reads CROSSROLE_<FLAG>, as CROSSROLE_REGION for --region")
		}
	}
}

// ownNames are all variables of ours: flags of every command, the registry, and
// what a session leaves in a shell.
func ownNames(root *cobra.Command) map[string]bool {
	known := map[string]bool{"CROSSROLE_LEFT": true, "CROSSROLE_SOON": true, "CROSSROLE_PREVIOUS": true}
	names, kept := output.SessionNames()
	for _, name := range append(names, kept...) {
		known[name] = true
	}
	for _, v := range variables {
		known[v.Name] = true
	}
	eachFlag(root, func(flag string) { known[flagVariable(flag)] = true })
	return known
}

// maxSkew is how far the clock may be off: an MFA code lasts 30 seconds, and
// AWS refuses signatures that are five minutes off.
const maxSkew = 30 * time.Second

// clockTimeout is how long the endpoint may take to say what time it is.
const clockTimeout = 3 * time.Second

func (d *doctor) clock() {
	if d.offline {
		d.note("clock", "the clock was not compared (--offline)", "")
		return
	}
	ctx, cancel := context.WithTimeout(d.ctx, clockTimeout)
	defer cancel()
	ahead, endpoint, err := assume.Clock(ctx, d.where(), d.now)
	switch {
	case err != nil:
		d.note("clock", "the clock could not be compared: "+err.Error(), "check the network and its proxy, or give --offline")
	case ahead > maxSkew:
		d.wrong("clock", "this machine's clock is "+ahead.String()+" ahead of "+endpoint, "set the clock (timedatectl set-ntp true)")
	case ahead < -maxSkew:
		d.wrong("clock", "this machine's clock is "+(-ahead).String()+" behind "+endpoint, "set the clock (timedatectl set-ntp true)")
	default:
		d.add(ailment{Kind: "clock", Level: levelOK, Text: "the clock agrees with " + endpoint})
	}
}

// where is the STS that the profile in question would ask.
func (d *doctor) where() assume.Where {
	chain := profile.Chain{Source: profile.Source{Kind: profile.SourceEnvironment}, Settings: environmentSettings(d.getenv)}
	name := d.name
	if name == "" {
		name = profile.SelectedProfile(d.getenv).Text
	}
	if d.set != nil {
		if resolved, err := d.set.Resolve(name); err == nil {
			chain.Settings = resolved.Settings
		}
	}
	plan, err := assume.NewPlan(chain, assume.Overrides{Who: d.who(), ReadFile: os.ReadFile})
	if err != nil || plan.Where.Region == "" {
		return assume.Where{Region: "us-east-1"}
	}
	return plan.Where
}

// cache says what protects the sessions that are kept.
func (d *doctor) cache() {
	if d.cacheFolder() {
		return
	}
	store, err := d.openCache()
	if err != nil {
		d.add(ailment{Kind: "cache", Level: levelWrong, Text: "sessions can't be kept: " + err.Error(), Fix: strings.Join(hintsOf(err), "; ")})
		return
	}
	if store == nil {
		d.note("cache", "sessions are not kept (CROSSROLE_CACHE=off)", "unset CROSSROLE_CACHE")
		return
	}
	protection, why, err := store.Protection()
	switch {
	case err != nil:
		d.wrong("cache", "sessions are not kept: "+err.Error(), "set CROSSROLE_CACHE=auto, or file")
	case why != nil:
		d.note("cache", "kept sessions are protected by "+protection.String()+" alone: "+why.Error(), "CROSSROLE_CACHE=keyring keeps none rather than this")
	default:
		d.add(ailment{Kind: "cache", Level: levelOK, Text: "kept sessions are protected by " + protection.String()})
	}
}

// cacheFolder tells whether something is wrong with the cache's folder. One
// that is missing is made when it is needed.
func (d *doctor) cacheFolder() bool {
	root, err := sealed.Root(d.getenv)
	if err != nil {
		return false // opening the cache says it
	}
	err = sealed.CheckDir(root)
	if unsafe, ok := errors.AsType[*sealed.UnsafeError](err); ok {
		f := ailment{Kind: "cache_folder", Level: levelWrong, File: root, Text: "sessions are not kept: the folder " + unsafe.What, Fix: "chmod 700 " + shellWord(root)}
		f.repair = func() error { return repairCache(root) }
		d.add(f)
		return true
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.add(ailment{Kind: "cache_folder", Level: levelWrong, File: root, Text: reasonOf(err), Fix: "make it a folder of yours, mode 0700"})
		return true
	}
	return false
}

// repairCache closes the cache's folder to others. One that is a link, or
// another user's, stays wrong.
func repairCache(root string) error {
	info, err := os.Lstat(root)
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := os.Chmod(root, info.Mode().Perm()&^0o077); err != nil {
			return err
		}
	}
	return sealed.CheckDir(root)
}

// secretFolders are those of AWS clients that hold sessions and tokens.
var secretFolders = [][]string{{".aws", "cli", "cache"}, {".aws", "sso", "cache"}, {".aws", "login", "cache"}, {".aws", "boto", "cache"}}

// holdsSecret tells whether a profile has a secret in the file.
func (d *doctor) holdsSecret(path string) bool {
	set, err := profile.Load(profile.Files{Config: path}, d.getenv)
	if err != nil {
		return false
	}
	set.Preload()
	return slices.ContainsFunc(set.Names(), func(name string) bool {
		p, err := set.Profile(name)
		return err == nil && p.Get("aws_secret_access_key").Text != ""
	})
}
