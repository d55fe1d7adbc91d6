package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	child "crossrole/internal/run"
)

// Who forgets the -- before the command gets the line to type.

// noProfile explains a pattern that fits none: it may be the command's first word.
func (o *eachOptions) noProfile(a *app, patterns []string, at int) error {
	err := &configError{Why: "no profile matches " + strconv.Quote(patterns[at]), Advice: []string{"crossrole list shows the profiles there are; a command must come after --"}}
	if line := a.withDashes(a.args, patterns, at); line != "" {
		err.Advice = []string{"if that is the command, it comes after --: " + line, "crossrole list shows the profiles there are"}
	}
	return err
}

// flagError explains a flag that each does not have: it may be the command's.
func (o *eachOptions) flagError(a *app, cmd *cobra.Command, err error) error {
	told := cmd.Parent().FlagErrorFunc()(cmd, err)
	unknown, isUnknown := errors.AsType[*pflag.NotExistError](err)
	usage, isUsage := errors.AsType[*usageError](told)
	if !isUnknown || !isUsage {
		return told
	}
	args, patterns := a.args, cmd.Flags().Args()
	if i := slices.IndexFunc(args, func(arg string) bool { return isFlag(arg, unknown) }); i >= 0 {
		args = args[:i]
	}
	for at := 1; at < len(patterns); at++ {
		if _, err := child.Find(patterns[at], a.getenv("PATH")); err != nil {
			continue
		}
		if line := a.withDashes(args, patterns, at); line != "" {
			usage.Advice = append([]string{"if that is the command's, it comes after --: " + line}, usage.Advice...)
		}
		break
	}
	return told
}

func isFlag(arg string, flag *pflag.NotExistError) bool {
	if short := flag.GetSpecifiedShortnames(); short != "" {
		return arg == "-"+short
	}
	name, _, _ := strings.Cut(arg, "=")
	return name == "--"+flag.GetSpecifiedName()
}

// withDashes is the command line with -- before one of its arguments, which are
// to be looked for in its beginning; "" if it has one, or can't be shown.
func (a *app) withDashes(beginning, args []string, at int) string {
	if at == 0 || slices.Contains(a.args, "--") || slices.ContainsFunc(a.args, func(arg string) bool { return strings.HasPrefix(arg, "--mfa-code") }) {
		return ""
	}
	place := len(beginning)
	for i := len(args) - 1; i >= at; i-- { // flags may stand between
		if place = lastIndex(beginning[:place], args[i]); place < 0 {
			return ""
		}
	}
	return "crossrole " + shellWords(a.args[:place]) + " -- " + shellWords(a.args[place:])
}

func lastIndex(list []string, word string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == word {
			return i
		}
	}
	return -1
}
