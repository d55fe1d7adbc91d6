package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"crossrole/internal/assume"
	"crossrole/internal/word"
)

// newPickCmd is what the shell's function calls when no profile is named. It
// draws on the terminal device, so that it works inside $(…).
func newPickCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "pick [TEXT]",
		Short:  "Choose a profile on the terminal, and print its name",
		Hidden: true,
		Args:   noMoreThan(1, "text to search for"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := a.pickProfile(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, name+"\n")
			return err
		},
	}
}

// pickProfile lets a person choose one of the profiles.
func (a *app) pickProfile(ctx context.Context, typed string) (string, error) {
	set, err := a.profiles()
	if err != nil {
		return "", err
	}
	names := set.Names()
	if len(names) == 0 {
		return "", &configError{Why: "there is no profile to choose from", Advice: []string{"crossrole setup NAME writes one; " + strconv.Quote(set.Files().Config) + " is where they are"}}
	}
	t, err := a.openTerminal()
	if err != nil {
		return "", &assume.PersonError{Doing: "choosing a profile", Why: "there is no terminal to ask on", Err: err, Advice: []string{"name the profile; crossrole list shows them"}}
	}
	defer t.Close()
	p := newPicker(names, func(name string) string { return describe(set, name) })
	p.typed = []rune(typed)
	p.search()
	style := pickStyle{plain: a.getenv("NO_COLOR") != ""}
	if term := a.getenv("TERM"); term == "dumb" || term == "" && !consoleAlwaysDraws {
		return p.byNumber(ctx, t)
	}
	return p.onScreen(ctx, t, style)
}

// byNumber is the picker of a terminal that can't move its cursor: a list with
// numbers, narrowed by what is typed.
func (p *picker) byNumber(ctx context.Context, t *terminal) (string, error) {
	const most = 20
	for {
		for i, m := range p.found[:min(most, len(p.found))] {
			if _, err := io.WriteString(t.out, strconv.Itoa(i+1)+". "+p.label(m.Index)+"\n"); err != nil {
				return "", err
			}
		}
		question := "number, or a part of the name: "
		if more := len(p.found) - most; more > 0 {
			question = "and " + strconv.Itoa(more) + " more; " + question
		}
		text, err := t.askLine(ctx, question)
		if err != nil {
			return "", personGone("choosing a profile", err)
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= min(most, len(p.found)) {
			return p.names[p.found[n-1].Index], nil
		}
		p.typed = []rune(text)
		if p.search(); len(p.found) == 1 {
			return p.names[p.found[0].Index], nil
		}
	}
}

// label is a profile as it is shown: safe for the terminal.
func (p *picker) label(index int) string {
	text := word.Spell(p.names[index])
	if about := p.describe(p.names[index]); about != "" {
		text += "  " + word.Spell(about)
	}
	return text
}

// errNothingChosen ends the picker by Esc or Ctrl-C.
var errNothingChosen = errors.New("nothing was chosen")
