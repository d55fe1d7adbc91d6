// Package explain says whether a role may be assumed, and if not, which statement is missing, on which side. It asks of what
// is known of both accounts (policy files, account snapshots, reads of the policies in force, AWS's own answer) and turns it
// into findings, for people and for programs.
//
// The usual ways through it:
//
//	found, err := (&explain.Question{…}).Answer(files)             // a request that files describe
//	found, err := explain.Request(in, name)                        // a request that is whole
//	chain, err := explain.Understand(set, name, chain, err, over)  // a profile's chain, with all that is wrong with it
//	report, err := chain.Report(ctx, explain.Known{…})
//
// It calls nobody and opens nothing by itself: whoever uses it hands in what reads files ([Files]), policies in force
// ([Reader]) and makes calls ([Trying]).
package explain

import (
	"errors"
	"slices"

	"crossrole/internal/profile"
)

// ConfigError is something that was given and can't be used: a snapshot, a request, a chain's settings.
type ConfigError struct {
	Why    string
	Advice []string
}

// Error is one line.
func (e *ConfigError) Error() string { return e.Why }

// Hints says what to do about it.
func (e *ConfigError) Hints() []string { return e.Advice }

// hintsOf collects the advice of an error and of all that it wraps, each once.
func hintsOf(err error) []string {
	var hints []string
	for ; err != nil; err = errors.Unwrap(err) {
		h, ok := err.(profile.Hinter) //nolint:errorlint // each layer is asked for its own advice
		if !ok {
			continue
		}
		for _, hint := range h.Hints() {
			if !slices.Contains(hints, hint) {
				hints = append(hints, hint)
			}
		}
	}
	return hints
}
