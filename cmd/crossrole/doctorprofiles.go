package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/profile"
)

// broken tells an error of a section's text, which is reported for itself.
func broken(err error) bool {
	_, syntax := errors.AsType[*profile.SyntaxError](err)
	return syntax
}

// fixes say what to do about what profile.Problems finds.
var fixes = map[profile.ProblemKind]string{
	profile.ProblemSyntax:           "mend or delete the line",
	profile.ProblemDuplicateSection: "make the two sections one",
	profile.ProblemDuplicateKey:     "delete the one that is not meant",
	profile.ProblemDefaultSection:   "rename the section to [default], or delete it",
	profile.ProblemTwoDefaults:      "keep one of the two",
	profile.ProblemComment:          "put the comment on a line of its own",
	profile.ProblemByteOrderMark:    "save the file as UTF-8 without a byte order mark",
	profile.ProblemQuotedName:       "choose a name of letters, digits and - _ . / @ % + :",
	profile.ProblemIgnoredSection:   "correct the header, or delete the section",
	profile.ProblemDroppedKey:       "correct the name, or delete the line",
	profile.ProblemMixedKeys:        "delete the keys that are not used",
}

func (d *doctor) problems(problems []profile.Problem) {
	for _, p := range problems {
		d.add(ailment{Kind: string(p.Kind), Level: levelWrong, Profile: p.Profile, Text: p.Text, Fix: fixes[p.Kind]}.at(p.Origin))
	}
}

// profile looks at one profile: its own properties, and whether its chain can
// work.
func (d *doctor) profile(name string) {
	p, err := d.set.Profile(name)
	if err != nil {
		return // problems has said it
	}
	d.shadowedProcess(p)
	d.longTermKey(p)
	d.expiredSession(p)
	d.resolve(name)
}

func (d *doctor) shadowedProcess(p *profile.Profile) {
	process, key := p.Get("credential_process"), p.Get("aws_access_key_id")
	if process.Text == "" || key.Text == "" {
		return
	}
	text := "its keys win over its credential_process (" + process.Origin.String() + ") in the AWS CLI and the SDKs"
	if key.Origin.File == d.set.Files().Config {
		text = "the AWS CLI and boto3 run its credential_process (" + process.Origin.String() + "), and other SDKs use its keys"
	}
	d.add(ailment{
		Kind: "shadowed_process", Level: levelWrong, Profile: p.Name, Text: text,
		Fix: "delete aws_access_key_id, aws_secret_access_key and aws_session_token of the profile",
	}.at(key.Origin))
}

// maxKeyAge is how old a long-term key may be.
const maxKeyAge = 90 * 24 * time.Hour

// longTermKey judges the age of a key by its file: a key is at least as old as
// the last change of the file it stands in. More is known only to IAM.
func (d *doctor) longTermKey(p *profile.Profile) {
	key := p.Get("aws_access_key_id")
	if key.Text == "" || p.Get("aws_session_token").Text != "" || p.Get("aws_security_token").Text != "" || key.Origin.File == "" {
		return
	}
	ask := "aws iam list-access-keys --profile " + shellWord(p.Name)
	f := ailment{Kind: "key_age", Level: levelNote, Profile: p.Name, Text: "how old its long-term key is can't be told from here", Fix: ask + " tells"}
	if info, err := os.Stat(key.Origin.File); err == nil {
		if age := d.now().Sub(info.ModTime()); age > maxKeyAge {
			f.Level, f.Text = levelWrong, "its long-term key is at least "+days(age)+" old: the file was not changed since"
			f.Fix = "make a new key and delete this one (" + ask + "), or use a source without keys, such as an SSO session"
		}
	}
	d.add(f.at(key.Origin))
}

func (d *doctor) expiredSession(p *profile.Profile) {
	expires := p.Get("x_security_token_expires")
	at, err := time.Parse(time.RFC3339, expires.Text)
	if expires.Text == "" || err != nil || at.After(d.now()) || p.Get("aws_session_token").Text == "" {
		return
	}
	d.add(ailment{
		Kind: "expired_session", Level: levelNote, Profile: p.Name, Text: "the session that was written here expired at " + at.UTC().Format(time.RFC3339),
		Fix: "crossrole assume ROLE-PROFILE --write-profile " + shellWord(p.Name),
	}.at(expires.Origin))
}

// resolve tells whether the profile's chain can be made, and planned within
// STS's limits.
func (d *doctor) resolve(name string) {
	chain, err := d.set.Resolve(name)
	if err == nil && chain.Source.Kind == "" && len(chain.Hops) == 0 {
		return // settings alone, for credentials from elsewhere
	}
	var plan assume.Plan
	if err == nil {
		plan, err = assume.NewPlan(chain, assume.Overrides{Who: d.who(), ReadFile: os.ReadFile})
	}
	if err != nil {
		d.cannotWork(name, err)
		return
	}
	for _, warning := range plan.Warnings {
		d.add(ailment{Kind: "plan_warning", Level: levelNote, Profile: name, Text: warning})
	}
	d.sourceProgram(name, chain.Source)
	d.missingFiles(name, chain)
}

func (d *doctor) cannotWork(name string, err error) {
	if broken(err) {
		return // problems has said it, with the line
	}
	f := ailment{Kind: "cannot_work", Level: levelWrong, Profile: name, Text: err.Error(), Fix: strings.Join(hintsOf(err), "; ")}
	if config, ok := errors.AsType[*profile.ConfigError](err); ok {
		f = f.at(config.Origin)
		f.Text = config.Problem
	}
	if f.Fix == "" {
		f.Fix = "correct it; crossrole show " + shellWord(name) + " shows each value and where it stands"
	}
	d.add(f)
}

// sourceProgram tells whether the program of a credential_process is there.
func (d *doctor) sourceProgram(name string, s profile.Source) {
	process := s.Properties["credential_process"]
	if s.Kind != profile.SourceProcess || s.Profile != name {
		return
	}
	program := firstWord(process.Text)
	if _, err := exec.LookPath(program); err != nil {
		d.add(ailment{
			Kind: "missing_program", Level: levelWrong, Profile: name, Text: "the program of its credential_process, " + strconv.Quote(program) + ", can't be run from here",
			Fix: "install it, or write its whole path",
		}.at(process.Origin))
	}
}

// firstWord is the program of a command line, whose first word may be quoted.
func firstWord(command string) string {
	command = strings.TrimLeft(command, " \t")
	if command != "" && (command[0] == '"' || command[0] == '\'') {
		word, _, _ := strings.Cut(command[1:], command[:1])
		return word
	}
	word, _, _ := strings.Cut(command, " ")
	return word
}

// missingFiles names files that the profile points to and that are not there.
func (d *doctor) missingFiles(name string, chain profile.Chain) {
	for _, key := range []string{"ca_bundle", "web_identity_token_file"} {
		v := chain.Properties[key]
		if v.Text == "" {
			continue
		}
		if _, err := os.Stat(filepath.Clean(expandHome(v.Text, d.home()))); err != nil {
			d.add(ailment{
				Kind: "missing_file", Level: levelWrong, Profile: name, Text: "its " + key + ", " + strconv.Quote(v.Text) + ", can't be read: " + reasonOf(err),
				Fix: "correct the path",
			}.at(v.Origin))
		}
	}
}
