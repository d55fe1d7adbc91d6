package main

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"crossrole/internal/output"
	"crossrole/internal/profile"
)

const completionHelp = `Prints the completion of crossrole's commands, flags and profiles for a shell.

Profiles come with their accounts and roles. For completing them the headers of
~/.aws/config are scanned, and only the profiles that are shown are read.`

func newCompletionCmd(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion of commands, flags and profiles for a shell",
		Long:  completionHelp,
		Example: `  source <(crossrole completion bash)         # in ~/.bashrc
  source <(crossrole completion zsh)          # in ~/.zshrc, after compinit
  crossrole completion fish | source          # in ~/.config/fish/config.fish
  crossrole completion powershell | Out-String | Invoke-Expression   # in $PROFILE`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(shells, args[0]) {
				return nil
			}
			return &usageError{Why: "completion takes the name of one shell", Advice: []string{"it is one of " + strings.Join(shells, ", ")}}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return bashCompletion(root, a.out)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			default:
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
		},
	}
}

// bashCompletion is cobra's script, on its own feet: where it calls the package bash-completion, which a Mac and a small
// image don't have, it calls functions that do without.
func bashCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	own, err := shellTexts.ReadFile("shells/completion.bash.sh")
	if err != nil {
		return err
	}
	text := strings.NewReplacer(
		`_get_comp_words_by_ref "$@" cur prev words cword`, `__crossrole_words "$@"`,
		"_filedir", "__crossrole_files",
	).Replace(script.String())
	_, err = io.WriteString(out, string(own)+text)
	return err
}

// completeEverything gives every command and flag that takes a profile or a
// format its completion, unless it has one.
func (a *app) completeEverything(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		a.completeEverything(sub)
	}
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && cmd.HasParent() {
		cmd.ValidArgsFunction = a.argumentCompletion(cmd.Use)
	}
	for _, name := range []string{"source-profile", "write-profile", "profile"} {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, a.completeProfile) // fails only where there is one already
		}
	}
	if cmd.Name() == "assume" {
		_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp))
	}
	if cmd.Name() == "unset" {
		_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(output.RestoreFormats(), cobra.ShellCompDirectiveNoFileComp))
	}
}

// argumentCompletion reads from a usage line whether a command takes a profile
// first, many, or none.
func (a *app) argumentCompletion(use string) cobra.CompletionFunc {
	_, rest, _ := strings.Cut(use, " ")
	first := strings.Trim(strings.SplitN(rest+" ", " ", 2)[0], "[]")
	switch {
	case strings.HasPrefix(first, "PATTERN…"), strings.HasPrefix(first, "PROFILE…"):
		return a.completeProfile
	case first == "PROFILE", first == "PATTERN":
		return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.completeProfile(cmd, args, typed)
			}
			return nil, cobra.ShellCompDirectiveDefault
		}
	case first == "":
		return cobra.NoFileCompletions
	}
	return nil
}

// maxDescribed is how many profiles are read to describe them: a list that is
// longer is for typing on, and names are enough.
const maxDescribed = 64

func (a *app) completeProfile(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	set, err := a.profiles()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, name := range set.Names() {
		if strings.HasPrefix(name, typed) && completable(name) {
			names = append(names, name)
		}
	}
	found := make([]cobra.Completion, len(names))
	for i, name := range names {
		found[i] = name
		if len(names) <= maxDescribed {
			found[i] = cobra.CompletionWithDesc(name, describe(set, name))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completable leaves out names that a completion's lines can't carry, and those that would run something: bash puts what
// several candidates have in common onto the line as it stands.
func completable(name string) bool {
	return clean(name) == name && !strings.ContainsAny(name, "`$;&|<>()'\"\\")
}

// describe says in a few words what a profile is, from its own section alone.
func describe(set *profile.Set, name string) string {
	p, err := set.Profile(name)
	if err != nil {
		return "can't be read"
	}
	if role := p.Get("role_arn").Text; role != "" {
		return describeRole(role)
	}
	if account := p.Get("sso_account_id").Text; account != "" {
		return clean(account + " " + p.Get("sso_role_name").Text + " (SSO)")
	}
	for _, source := range []struct{ key, text string }{
		{"credential_process", "credential process"},
		{"login_session", "login session"},
		{"aws_access_key_id", "keys"},
	} {
		if p.Get(source.key).Text != "" {
			return source.text
		}
	}
	return ""
}

// describeRole shortens arn:aws:iam::222222222222:role/path/Name.
func describeRole(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return clean(arn)
	}
	return clean(parts[4] + " " + strings.TrimPrefix(parts[5], "role/"))
}
