package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version is set by the linker; see the Makefile.
var version = "dev"

// commands is the tree: one file a command.
var commands = []func(*app) *cobra.Command{
	newAssumeCmd,
	newExecCmd,
	newServeCmd,
	newConsoleCmd,
	newWhoamiCmd,
	newListCmd,
	newShowCmd,
	newEachCmd,
	newExplainCmd,
	newPolicyCmd,
	newSetupCmd,
	newRehearseCmd,
	newDoctorCmd,
	newCacheCmd,
	newUnsetCmd,
	newInitCmd,
	newCompletionCmd,
	newPickCmd,
}

const rootHelp = `crossrole turns a profile of ~/.aws/config into short-lived credentials for a
role, usually in another account, and hands them to a shell, an SDK, a child
process or a CI job.

Exit codes: 0 done, 1 failed (AWS, network, disk), 2 usage, 3 configuration,
4 denied, 5 a person is needed (MFA code, login), 130 interrupted.

Every flag also reads CROSSROLE_<FLAG>, as CROSSROLE_REGION for --region; a
flag beats the environment, and the environment beats the profile.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:     "crossrole",
		Short:   "Get from one AWS account into another",
		Long:    rootHelp,
		Version: version,
		Example: `  eval $(crossrole assume prod)
  crossrole assume prod --format process
  crossrole list 'prod-*'`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.flagsFromEnvironment(cmd) },
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().BoolVar(&a.debug, "debug", false, "say on stderr what is done, step by step (never a secret)")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCmd(root))
	for _, newCmd := range commands {
		cmd := newCmd(a)
		wrapArgs(cmd)
		root.AddCommand(cmd)
	}
	addGroups(root)
	a.completeEverything(root)
	return root
}

// newHelpCmd is cobra's help, except that what is no command is an error.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			at, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, cmd := range at.Commands() {
				if cmd.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(cmd.Name(), cmd.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 && cmd.HasSubCommands() {
				if cmd == nil {
					cmd, rest = root, args
				}
				return unknownCommand(cmd, rest)
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// wrapArgs makes every complaint about arguments a usage error.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return asUsage(err, "see "+cmd.CommandPath()+" --help")
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// flagsFromEnvironment fills every flag that the command line left out from
// CROSSROLE_<FLAG>.
func (a *app) flagsFromEnvironment(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := flagVariable(f.Name)
		text := a.getenv(name)
		if f.Changed || f.Name == "help" || f.Name == "version" || text == "" || failed != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, text); err != nil {
			failed = &usageError{Why: "$" + name + ": " + err.Error(), Advice: []string{"it sets --" + f.Name + "; unset it or give the flag"}}
		}
		_ = cmd.Flags().SetAnnotation(f.Name, fromEnvironment, []string{name}) // fails for a flag that is not there
	})
	return failed
}

// fromEnvironment marks a flag that nobody gave on the command line.
const fromEnvironment = "environment"

// given tells a flag of the command line from one of the environment.
func given(f *pflag.Flag) bool { return f != nil && f.Changed && f.Annotations[fromEnvironment] == nil }

// flagVariable names the environment variable of a flag.
func flagVariable(flag string) string {
	return "CROSSROLE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// eachFlag visits the flags of a command and of all below it.
func eachFlag(cmd *cobra.Command, visit func(name string)) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { visit(f.Name) })
	cmd.PersistentFlags().VisitAll(func(f *pflag.Flag) { visit(f.Name) })
	for _, sub := range cmd.Commands() {
		eachFlag(sub, visit)
	}
}
