package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"crossrole/internal/assume"
	"crossrole/internal/each"
	"crossrole/internal/explain"
	"crossrole/internal/profile"
	"crossrole/internal/word"
)

// The exit codes of crossrole: decided here, and published in --help and docs.
const (
	exitDone          = 0
	exitFailed        = 1
	exitUsage         = 2
	exitConfiguration = 3
	exitDenied        = 4
	exitPerson        = 5
	exitInterrupted   = 130
)

// usageError is a command line that can't be understood.
type usageError struct {
	Why    string
	Advice []string
}

func (e *usageError) Error() string   { return e.Why }
func (e *usageError) Hints() []string { return e.Advice }

// asUsage makes any error a usage error.
func asUsage(err error, advice ...string) error {
	var u *usageError
	if err == nil || errors.As(err, &u) {
		return err
	}
	return &usageError{Why: err.Error(), Advice: advice}
}

func usagef(format string, args ...any) error {
	return &usageError{Why: fmt.Sprintf(format, args...)}
}

// configError is a setting that can't be used, found by a command itself.
type configError struct {
	Why    string
	Advice []string
}

func (e *configError) Error() string   { return e.Why }
func (e *configError) Hints() []string { return e.Advice }

// exitError carries a child's own exit code, or one that needs no words.
type exitError struct {
	Code int
	Err  error // nil: nothing is said
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return "exit code " + strconv.Itoa(e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// hinted adds advice to an error.
type hinted struct {
	error
	advice []string
}

func (e *hinted) Unwrap() error { return e.error }

func withHints(err error, advice ...string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, advice}
}

// hintsOf collects the advice of an error and all that it wraps. What two layers
// both know is said once.
func hintsOf(err error) []string {
	var hints []string
	add := func(more []string) {
		for _, h := range more {
			if !slices.Contains(hints, h) {
				hints = append(hints, h)
			}
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) { //nolint:errorlint // each layer is asked for its own advice
		case *hinted:
			add(e.advice)
		case interface{ Hints() []string }:
			add(e.Hints())
		}
	}
	return hints
}

// exitCode decides by the error's type. It is the one place that does.
func exitCode(err error) int {
	var (
		exit    *exitError
		usage   *usageError
		config  *configError
		unfit   *explain.ConfigError
		invalid *assume.InvalidError
		denied  *assume.DeniedError
		person  *assume.PersonError

		eachUsage  *each.UsageError
		eachConfig *each.ConfigError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &eachUsage):
		return exitUsage
	case errors.As(err, &invalid), errors.As(err, &config), errors.As(err, &eachConfig), errors.As(err, &unfit), profile.IsConfiguration(err):
		return exitConfiguration
	case errors.As(err, &denied):
		return exitDenied
	case errors.As(err, &person):
		return exitPerson
	default:
		return exitFailed
	}
}

// fail prints an error as one line and its hints, and gives the exit code.
func (a *app) fail(cmd *cobra.Command, err error) int {
	var exit *exitError
	if err == nil || (errors.As(err, &exit) && exit.Err == nil) {
		return exitCode(err)
	}
	a.tell(err)
	if line := explainLine(cmd, err); line != "" {
		_, _ = io.WriteString(a.err, "hint: which statement is missing, and on which side: "+line+"\n")
	}
	return exitCode(err)
}

// tell says an error and its hints.
func (a *app) tell(err error) {
	a.say(onOneLine(err.Error()))
	for _, hint := range hintsOf(err) {
		_, _ = io.WriteString(a.err, "hint: "+harmless(onOneLine(hint))+"\n")
	}
}

// onOneLine keeps joined errors, and what slipped through unquoted, from making a line of their own.
func onOneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

// errInterrupted is a person's Ctrl-C, or a SIGTERM.
var errInterrupted = errors.New("interrupted")

func interrupted(_ context.Context, err error) error {
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return errInterrupted
}

// unknownCommand refuses what is no command, and names those that are near.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &usageError{Why: "unknown command " + strconv.Quote(args[0]), Advice: []string{root.CommandPath() + " --help lists the commands"}}
	if args[0] == "version" {
		e.Advice = append(e.Advice, "did you mean crossrole --version?")
	}
	names := make([]string, 0, len(root.Commands()))
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	for _, near := range alike(args[0], names) {
		e.Advice = append(e.Advice, "did you mean "+root.CommandPath()+" "+near+"?")
	}
	return e
}

// unknownFlag is what pflag says of a flag that is not there.
const unknownFlag = "unknown flag: --"

// flagError is a usage error about a flag. One that is not there may be near one that is.
func flagError(cmd *cobra.Command, err error) error {
	e := &usageError{Why: err.Error(), Advice: []string{"see " + cmd.CommandPath() + " --help"}}
	typed, ok := strings.CutPrefix(err.Error(), unknownFlag)
	if !ok {
		return e
	}
	if typed == "profile" && strings.Contains(cmd.Use, "PROFILE") {
		e.Advice = append(e.Advice, "the profile is an argument: "+cmd.CommandPath()+" NAME")
		return e
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, near := range alike(typed, names) {
		e.Advice = append(e.Advice, "did you mean --"+near+"?")
	}
	return e
}

// alike gives the names that were probably meant: those with the fewest slips, two at the most, or that begin so.
func alike(typed string, names []string) []string {
	var found []string
	least := 2
	if len(typed) < 4 {
		least = 1
	}
	for _, name := range names {
		slips := word.Distance(typed, name)
		if len(typed) > 1 && strings.HasPrefix(name, typed) {
			slips = 1
		}
		if slips < least {
			found, least = nil, slips
		}
		if slips == least {
			found = append(found, name)
		}
	}
	return found
}
