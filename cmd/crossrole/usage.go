package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups of --help, in the order in which they are shown.
const (
	groupSession = "get"
	groupKnow    = "know"
	groupPrepare = "prepare"
	groupShell   = "shell"
)

func addGroups(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupSession, Title: "Get into an account:"},
		&cobra.Group{ID: groupKnow, Title: "See what is there, and why it fails:"},
		&cobra.Group{ID: groupPrepare, Title: "Prepare both accounts:"},
		&cobra.Group{ID: groupShell, Title: "Shells and housekeeping:"},
	)
	for id, names := range map[string]string{
		groupSession: "assume exec each serve console",
		groupKnow:    "whoami list show explain doctor",
		groupPrepare: "setup policy rehearse",
		groupShell:   "init unset completion cache",
	} {
		for name := range strings.FieldsSeq(names) {
			if cmd, _, err := root.Find([]string{name}); err == nil {
				cmd.GroupID = id
			}
		}
	}
	root.SetHelpCommandGroupID(groupShell)
	root.SetUsageFunc(usage)
}

// flagGroup is the annotation of a flag that many commands share: --help lists
// such flags apart from the command's own.
const flagGroup = "group"

// The titles of the shared flags' groups, in the order of --help.
const (
	flagsOfSession = "Session flags"
	flagsOfCache   = "Cache flags"
)

// grouped puts the flags that register adds into a group.
func grouped(cmd *cobra.Command, title string, register func(*pflag.FlagSet)) {
	added := pflag.NewFlagSet("", pflag.ContinueOnError)
	register(added)
	added.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[flagGroup] = []string{title}
	})
	cmd.Flags().AddFlagSet(added)
}

// usage is what --help shows below a command's text: how to call it, examples,
// the commands below it, and its flags, its own ones first.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:")
	if cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		b.WriteString("\n  " + cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n  " + cmd.CommandPath() + " COMMAND")
	}
	b.WriteString("\n")
	if len(cmd.Aliases) > 0 {
		b.WriteString("\nAliases:\n  " + cmd.NameAndAliases() + "\n")
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + cmd.Example + "\n")
	}
	for _, group := range append(cmd.Groups(), &cobra.Group{Title: "Commands:"}) {
		writeCommands(&b, cmd, group)
	}
	for _, title := range []string{"Flags", flagsOfSession, flagsOfCache} {
		writeFlags(&b, title, cmd.LocalFlags())
	}
	writeFlags(&b, "Flags", cmd.InheritedFlags(), "Global flags")
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n" + cmd.CommandPath() + " COMMAND --help tells more about a command.\n")
	}
	_, err := cmd.OutOrStderr().Write([]byte(b.String()))
	return err
}

func writeCommands(b *strings.Builder, parent *cobra.Command, group *cobra.Group) {
	title := "\n" + group.Title + "\n"
	for _, cmd := range parent.Commands() {
		if cmd.GroupID != group.ID || !cmd.IsAvailableCommand() && cmd.Name() != "help" {
			continue
		}
		b.WriteString(title + "  " + cmd.Name() + strings.Repeat(" ", max(1, cmd.NamePadding()+1-len(cmd.Name()))) + cmd.Short + "\n")
		title = ""
	}
}

// writeFlags lists the flags of one group; shown is its title, if it differs.
func writeFlags(b *strings.Builder, group string, all *pflag.FlagSet, shown ...string) {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		in := "Flags"
		if named := f.Annotations[flagGroup]; len(named) > 0 {
			in = named[0]
		}
		if in == group {
			some.AddFlag(f)
		}
	})
	if !some.HasAvailableFlags() {
		return
	}
	title := group
	if len(shown) > 0 {
		title = shown[0]
	}
	b.WriteString("\n" + title + ":\n" + some.FlagUsages())
}

// checkFormat refuses a --format that is none of those known.
func checkFormat(format string, known ...string) error {
	if slices.Contains(known, format) {
		return nil
	}
	return &usageError{Why: "unknown --format " + strconv.Quote(format), Advice: []string{"it is one of " + strings.Join(known, ", ")}}
}
