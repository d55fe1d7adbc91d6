package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"crossrole/internal/output/table"
	"crossrole/internal/profile"
)

const listHelp = `Lists the profiles of the config and credentials files, each with the account
and the role that it leads to, the chain, the region, whether a code is asked
for, and the kind of source. Nothing is asked of AWS.

PATTERN keeps the profiles whose name contains it; with * (any text) or ?
(one character) it must fit the whole name.

A profile that cannot be resolved is listed with what is wrong with it, and is
no failure. What else is wrong in the files goes to stderr.`

type listOptions struct{ format string }

func newListCmd(a *app) *cobra.Command {
	o := &listOptions{}
	cmd := &cobra.Command{
		Use:     "list [PATTERN]",
		Aliases: []string{"ls"},
		Short:   "List profiles and the chains that they stand for",
		Long:    listHelp,
		Example: `  crossrole list
  crossrole list 'prod-*'
  crossrole list --format tree
  crossrole list --format json | jq -r '.profiles[] | select(.account == "222222222222") | .name'`,
		Args: noMoreThan(1, "pattern"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkFormat(o.format, "text", "tree", "json"); err != nil {
				return err
			}
			return o.run(a, strings.Join(args, ""))
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "how to print: text, tree or json")
	return cmd
}

// listJSON is the documented shape of `list --format json`.
type listJSON struct {
	Version  int           `json:"version"`
	Profiles []listed      `json:"profiles"`
	Problems []problemJSON `json:"problems"`
}

// listed is one profile. With an error only the name and the error are known.
type listed struct {
	Name    string        `json:"name"`
	Account string        `json:"account,omitempty"`
	Role    string        `json:"role,omitempty"`
	RoleARN string        `json:"role_arn,omitempty"`
	Chain   []string      `json:"chain,omitempty"` // profiles, the source first
	Region  string        `json:"region,omitempty"`
	MFA     bool          `json:"mfa"` // a hop asks for a code
	Source  *listedSource `json:"source,omitempty"`
	Error   string        `json:"error,omitempty"`
}

type listedSource struct {
	Kind    string `json:"kind"`
	Profile string `json:"profile"`
}

func (o *listOptions) run(a *app, pattern string) error {
	collectLate()
	set, err := a.profiles()
	if err != nil {
		return err
	}
	set.Preload()
	names := slices.DeleteFunc(set.Names(), func(name string) bool { return !fits(pattern, name) })
	var profiles []listed
	var work sync.WaitGroup
	work.Go(func() { profiles = listAll(set, names) })
	problems := problemsOf(set, pattern, names)
	work.Wait()
	if err := stopper(problems, len(names) == 0 && pattern == ""); err != nil {
		return err
	}
	out := listJSON{Version: 1, Profiles: profiles, Problems: append([]problemJSON{}, problemsJSON(problems)...)}
	if o.format == "json" {
		return printJSON(a.out, out)
	}
	sayProblems(a, set, pattern, out)
	if o.format == "tree" {
		_, err = io.WriteString(a.out, listTree(out.Profiles))
	} else {
		_, err = io.WriteString(a.out, listText(out.Profiles, a.width()))
	}
	return err
}

// collectLate leaves the garbage of a short command to its end: with thousands
// of profiles collecting it took a third of the time. Above the limit it is
// collected as ever.
func collectLate() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
}

// problemsOf is what is wrong with the listed profiles, and with the files if
// all are listed.
func problemsOf(set *profile.Set, pattern string, names []string) []profile.Problem {
	if pattern == "" {
		return set.Problems()
	}
	if len(names) == 0 {
		return nil
	}
	return set.Problems(names...)
}

// fits is Match, and a part of the name where the pattern has no wildcard.
func fits(pattern, name string) bool {
	if strings.ContainsAny(pattern, "*?") {
		return profile.MatchName(pattern, name)
	}
	return strings.Contains(name, pattern)
}

// stopper is an error that leaves nothing to list: one that is above all
// sections, or any if there is no profile.
func stopper(problems []profile.Problem, none bool) error {
	for _, p := range problems {
		above, ok := errors.AsType[*profile.SyntaxError](p.Err)
		if p.Err != nil && (none || ok && above.Section == "") {
			return p.Err
		}
	}
	return nil
}

// listAll lists the names in their order, by as many goroutines as thousands of
// them keep busy.
func listAll(set *profile.Set, names []string) []listed {
	out := make([]listed, len(names))
	var work sync.WaitGroup
	const size = 1024
	for from := 0; from < len(names); from += size {
		work.Go(func() {
			for i := from; i < min(from+size, len(names)); i++ {
				out[i] = listOne(set, names[i])
			}
		})
	}
	work.Wait()
	return out
}

func listOne(set *profile.Set, name string) listed {
	out := listed{Name: name}
	chain, err := set.Resolve(name)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	out.Region = chain.Settings.Region.Text
	if chain.Source.Kind != "" {
		out.Source = &listedSource{string(chain.Source.Kind), chain.Source.Profile}
	}
	out.Chain = chainProfiles(chain)
	out.RoleARN = lastRole(chain)
	out.Account, out.Role = accountAndRole(chain, out.RoleARN)
	out.MFA = slices.ContainsFunc(chain.Hops, func(h profile.Hop) bool { return h.MFASerial.Text != "" })
	return out
}

func lastRole(c profile.Chain) string {
	if n := len(c.Hops); n > 0 {
		return c.Hops[n-1].RoleARN.Text
	}
	if c.Source.Role != nil {
		return c.Source.Role.RoleARN.Text
	}
	return ""
}

// accountAndRole reads the role's ARN, or what a source says of itself.
func accountAndRole(c profile.Chain, arn string) (account, role string) {
	if arn == "" {
		first := func(keys ...string) string {
			for _, key := range keys {
				if v := c.Source.Properties[key]; v.Text != "" {
					return v.Text
				}
			}
			return ""
		}
		if c.Source.Kind == profile.SourceSSO {
			return first("sso_account_id"), first("sso_role_name")
		}
		return first("aws_account_id"), ""
	}
	for range 4 {
		_, arn, _ = strings.Cut(arn, ":")
	}
	account, rest, ok := strings.Cut(arn, ":")
	if !ok {
		return "", ""
	}
	_, role, _ = strings.Cut(rest, "/")
	return account, role
}

// sayProblems tells on stderr what the listing itself doesn't show.
func sayProblems(a *app, set *profile.Set, pattern string, out listJSON) {
	if len(out.Profiles) == 0 {
		files := set.Files()
		if pattern != "" {
			a.say("no profile fits " + strconv.Quote(pattern))
		} else {
			a.say("no profiles in " + clean(files.Config) + " or " + clean(files.Credentials) + "; crossrole setup NAME writes one")
		}
	}
	const most = 20
	shown := slices.DeleteFunc(slices.Clone(out.Problems), func(p problemJSON) bool {
		return p.Kind == string(profile.ProblemSyntax) && p.Profile != "" // the table has it
	})
	for i, p := range shown {
		if i == most {
			a.say(fmt.Sprintf("warning: and %d more (--format json has them all)", len(shown)-most))
			return
		}
		a.say("warning: " + clean(p.File) + ":" + strconv.Itoa(p.Line) + ": " + p.Text)
	}
}

// listColumns are what a terminal shows of a profile; the last holds chains and
// errors, which are never cut.
var listColumns = []table.Column{
	{Title: "NAME"}, {Title: "ACCOUNT"}, {Title: "ROLE", Shrink: true}, {Title: "REGION"}, {Title: "MFA"}, {Title: "SOURCE"}, {Title: "CHAIN", Loose: true},
}

// listText is the table for a terminal of that many columns; 0 for none.
func listText(profiles []listed, width int) string {
	if len(profiles) == 0 {
		return ""
	}
	rows := make([][]string, 0, len(profiles))
	for _, p := range profiles {
		if p.Error != "" {
			rows = append(rows, []string{p.Name, "", "", "", "", "error", p.Error})
			continue
		}
		rows = append(rows, []string{p.Name, dash(p.Account), dash(p.Role), dash(p.Region), yes(p.MFA), p.sourceKind(), p.chainText()})
	}
	return table.Render(listColumns, rows, width)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return clean(text)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

func (p listed) sourceKind() string {
	if p.Source == nil {
		return "-"
	}
	return p.Source.Kind
}

func (p listed) chainText() string {
	if len(p.Chain) < 2 {
		return "-"
	}
	names := make([]string, len(p.Chain))
	for i, name := range p.Chain {
		names[i] = clean(name)
	}
	return strings.Join(names, " → ")
}

// listTree draws each profile under the one that its chain goes through just
// before.
func listTree(profiles []listed) string {
	children := map[string][]listed{}
	shown := map[string]bool{}
	for _, p := range profiles {
		shown[p.Name] = true
	}
	for _, p := range profiles {
		parent := p.parent()
		if !shown[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], p)
	}
	var b strings.Builder
	for _, p := range children[""] {
		b.WriteString(p.label() + "\n")
		drawBranches(&b, children, p.Name, "")
	}
	return b.String()
}

func drawBranches(b *strings.Builder, children map[string][]listed, of, indent string) {
	below := children[of]
	for i, p := range below {
		branch, next := "├─ ", "│  "
		if i == len(below)-1 {
			branch, next = "└─ ", "   "
		}
		b.WriteString(indent + branch + p.label() + "\n")
		drawBranches(b, children, p.Name, indent+next)
	}
}

// parent is the profile just before this one in its chain, if there is one.
func (p listed) parent() string {
	if i := slices.Index(p.Chain, p.Name); i > 0 {
		return p.Chain[i-1]
	}
	return ""
}

func (p listed) label() string {
	text := clean(p.Name)
	switch {
	case p.Error != "":
		return text + "  error: " + p.Error
	case p.RoleARN != "":
		text += "  " + clean(p.RoleARN)
	case p.Source != nil:
		text += "  " + p.Source.Kind
	}
	if p.Region != "" {
		text += "  " + clean(p.Region)
	}
	if p.MFA {
		text += "  MFA"
	}
	return text
}
