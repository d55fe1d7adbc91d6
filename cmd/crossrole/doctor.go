package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"crossrole/internal/profile"
)

const doctorHelp = `Looks for what is wrong on this machine, and says how to mend it:

  files      modes and owners of the AWS files, of the folders and caches beside them
  profiles   what AWS clients read differently (sections and keys that are there
             twice, [DEFAULT], comments behind values, quoted names), keys that
             shadow a credential_process, roles that can't work
  keys       long-term keys older than 90 days
  variables  leftover AWS_* variables, and who wins
  clock      this machine's against that of STS (one request without credentials;
             --offline leaves it out)
  cache      what protects the sessions that are kept

With PROFILE it keeps to that profile and those that it starts from. --fix
mends the harmless things: modes. No secret is shown.

The exit code is 1 if anything is wrong. "note" lines are not.`

// level is how much a finding matters.
type level string

const (
	levelOK    level = "ok"
	levelNote  level = "note"
	levelWrong level = "wrong"
)

// ailment is one thing that doctor has to say, be it that all is well. It is also
// its JSON.
type ailment struct {
	Kind    string `json:"kind"`
	Level   level  `json:"level"`
	Profile string `json:"profile,omitempty"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Text    string `json:"text"`
	Fix     string `json:"fix,omitempty"`
	Fixed   bool   `json:"fixed"`

	repair func() error
}

func (f ailment) at(o profile.Origin) ailment {
	f.File, f.Line = o.File, o.Line
	return f
}

// report is the documented shape of `doctor --format json`.
type report struct {
	Version  int       `json:"version"`
	OK       bool      `json:"ok"`
	Findings []ailment `json:"findings"`
}

type doctorOptions struct {
	format  string
	fix     bool
	offline bool
}

func newDoctorCmd(a *app) *cobra.Command {
	o := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor [PROFILE]",
		Short: "Say what is wrong on this machine, and how to mend it",
		Long:  doctorHelp,
		Example: `  crossrole doctor
  crossrole doctor prod
  crossrole doctor --fix --offline
  crossrole doctor --format json`,
		Args: noMoreThan(1, "profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(o.format, "text", "json"); err != nil {
				return err
			}
			return o.run(cmd, a, strings.Join(args, ""))
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "mend what is harmless to mend: modes of files and folders")
	cmd.Flags().BoolVar(&o.offline, "offline", false, "use no network: the clock is not compared")
	return cmd
}

func (o *doctorOptions) run(cmd *cobra.Command, a *app, name string) error {
	d := &doctor{app: a, ctx: cmd.Context(), root: cmd.Root(), offline: o.offline, name: name}
	if err := d.examine(); err != nil {
		return err
	}
	if o.fix {
		d.mend()
	}
	r := report{Version: 1, OK: true, Findings: d.found}
	for _, f := range d.found {
		r.OK = r.OK && (f.Level != levelWrong || f.Fixed)
	}
	if err := o.print(a, r); err != nil {
		return err
	}
	if !r.OK {
		return &exitError{Code: exitFailed}
	}
	return nil
}

func (o *doctorOptions) print(a *app, r report) error {
	if o.format == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	_, err := io.WriteString(a.out, r.text(a.painter()))
	return err
}

// text is the report for a person: what is wrong first.
func (r report) text(p painter) string {
	var b strings.Builder
	counts := map[level]int{}
	for _, l := range []level{levelWrong, levelNote, levelOK} {
		for _, f := range r.Findings {
			if f.Level == l {
				counts[l]++
				f.write(&b, p)
			}
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d wrong, %d to note, %d fine\n", counts[levelWrong], counts[levelNote], counts[levelOK])
	return b.String()
}

func (f ailment) write(b *strings.Builder, p painter) {
	word := map[level]func(string) string{levelWrong: p.Bad, levelNote: p.Doubt, levelOK: p.Good}[f.Level]
	fmt.Fprintf(b, "%s  ", word(fmt.Sprintf("%-5s", f.Level)))
	if f.File != "" {
		where := clean(f.File)
		if f.Line > 0 {
			where += ":" + strconv.Itoa(f.Line)
		}
		b.WriteString(where + ": ")
	}
	if f.Profile != "" && !strings.Contains(f.Text, strconv.Quote(f.Profile)) {
		b.WriteString("profile " + strconv.Quote(f.Profile) + ": ")
	}
	b.WriteString(clean(f.Text) + "\n")
	switch {
	case f.Fixed:
		b.WriteString("       fixed\n")
	case f.Fix != "":
		b.WriteString("       " + p.Quiet("fix: ") + clean(f.Fix) + "\n")
	}
}

// doctor examines a machine. It goes on after each thing that is wrong.
type doctor struct {
	*app
	ctx     context.Context //nolint:containedctx // a doctor is made for one run and ends with it
	root    *cobra.Command
	offline bool
	name    string   // the profile to keep to; "" for all
	names   []string // the profiles to look at
	set     *profile.Set
	found   []ailment
}

func (d *doctor) add(f ailment) { d.found = append(d.found, f) }

func (d *doctor) examine() error {
	files, err := profile.DefaultFiles(d.getenv, d.home())
	if err != nil {
		d.add(ailment{Kind: "files", Level: levelWrong, Text: err.Error(), Fix: strings.Join(hintsOf(err), "; ")})
	}
	d.files(files)
	if err == nil {
		d.set, err = profile.Load(files, d.getenv)
		if err != nil {
			d.add(ailment{Kind: "file_unreadable", Level: levelWrong, Text: err.Error(), Fix: strings.Join(hintsOf(err), "; ")})
		}
	}
	if err == nil {
		if err := d.profiles(); err != nil {
			return err
		}
	}
	d.variables()
	d.clock()
	d.cache()
	return nil
}

// profiles looks at the named profile and what it starts from, or at all.
func (d *doctor) profiles() error {
	if d.name == "" {
		d.names = d.set.Names()
		d.set.Preload()
		d.problems(d.set.Problems())
	} else {
		if _, err := d.set.Profile(d.name); err != nil && !broken(err) {
			return err
		}
		d.names = d.chainNames()
		d.problems(d.set.Problems(d.names...))
	}
	for _, name := range d.names {
		d.profile(name)
	}
	return nil
}

// chainNames lists the profile and those that its chain leads through, as far
// as it can be followed.
func (d *doctor) chainNames() []string {
	names := []string{d.name}
	for next := d.name; ; {
		p, err := d.set.Profile(next)
		if err != nil {
			return names
		}
		next = p.Get("source_profile").Text
		if next == "" || slices.Contains(names, next) {
			return names
		}
		names = append(names, next)
	}
}

// mend does what is harmless to do.
func (d *doctor) mend() {
	for i := range d.found {
		f := &d.found[i]
		if f.repair == nil {
			continue
		}
		if err := f.repair(); err != nil {
			f.Text += " (mending it failed: " + err.Error() + ")"
			continue
		}
		f.Fixed = true
	}
}

// days is a duration for a person who thinks in days.
func days(d time.Duration) string {
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}
