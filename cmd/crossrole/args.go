package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// noMoreThan refuses more arguments than the command has a use for. what says
// what each is.
func noMoreThan(most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= most {
			return nil
		}
		return &usageError{
			Why:    commandName(cmd) + " takes " + takes(most, what) + ", and there is also " + quotedWords(args[most:]),
			Advice: tooMany(args, most, cmd),
		}
	}
}

func takes(most int, what string) string {
	if most == 0 {
		return "no " + what
	}
	return "one " + what
}

// tooMany guesses why: nearly always a name with blanks, without its quotes.
func tooMany(args []string, most int, cmd *cobra.Command) []string {
	see := "see " + cmd.CommandPath() + " --help"
	if most == 0 {
		return []string{see}
	}
	return []string{"a name with blanks needs quotes, as " + shellWord(strings.Join(args, " ")), see}
}

// exactlyOne also refuses none. example is a whole command line.
func exactlyOne(what, example string) cobra.PositionalArgs {
	more := noMoreThan(1, what)
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missingArgument(cmd, what, example)
		}
		return more(cmd, args)
	}
}

func atLeastOne(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missingArgument(cmd, what, example)
		}
		return nil
	}
}

func missingArgument(cmd *cobra.Command, what, example string) error {
	return &usageError{
		Why:    commandName(cmd) + " needs a " + what,
		Advice: []string{"for example: " + example, "see " + cmd.CommandPath() + " --help"},
	}
}

func quotedWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return strings.Join(quoted, " ")
}

// commandName is the command as it is typed, without the program.
func commandName(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}
