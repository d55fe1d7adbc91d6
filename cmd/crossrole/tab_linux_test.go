package main

import (
	"strings"
	"testing"
)

// TAB in real, interactive shells: the function's completion is asked by the
// shell itself. And their prompts show the profile.
func TestTabAndPromptInInteractiveShells(t *testing.T) {
	for shell, line := range map[string]string{
		"bash": `printf 'PS1="$ "; eval "$(crossrole init bash --prompt)"; source <(crossrole completion bash)\n' >"$HOME/rc"; exec bash --rcfile "$HOME/rc" -i`,
		"zsh":  `printf 'PS1="$ "; autoload -Uz compinit; compinit -u -D; eval "$(crossrole init zsh --prompt)"\n' >"$HOME/.zshrc"; ZDOTDIR="$HOME" exec zsh -i`,
		"fish": `mkdir -p "$HOME/.config/fish"; printf 'function fish_prompt; echo -n "> "; end; crossrole init fish --prompt | source\n' >"$HOME/.config/fish/config.fish"; exec fish -i`,
	} {
		if !haveShell(t, shell) {
			continue
		}
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			s := inTerminal(t, "", line, "LC_ALL=C.UTF-8")
			s.waitFor(map[bool]string{true: "> ", false: "$ "}[shell == "fish"])
			s.typeText("assume pr\t")
			s.waitFor("prod")
			s.typeText("\x15")
			if shell == "bash" {
				tabOfCrossrole(s)
			}
			set := "export CROSSROLE_PROFILE=pr''od\n"
			if shell == "fish" {
				set = "set -gx CROSSROLE_PROFILE pr''od\n"
			}
			s.typeText(set)
			s.waitFor("(prod) ")
			s.typeText("exit\n")
			if strings.Contains(s.shown(), "not found") {
				t.Errorf("the screen shows %q", s.shown())
			}
		})
	}
}

// tabOfCrossrole completes crossrole's own command line in a bash that has not loaded the package bash-completion: commands,
// profiles, the values of flags behind = and apart, and files.
func tabOfCrossrole(s *screen) {
	for typed, want := range map[string]string{
		"crossrole doc\t":                            "crossrole doctor ",
		"crossrole exec pr\t":                        "crossrole exec prod ",
		"crossrole assume --format=powers\t":         "crossrole assume --format=powershell ",
		"crossrole assume --format powers\t":         "crossrole assume --format powershell ",
		"crossrole explain --trust-policy $HOME/r\t": "/rc ",
	} {
		s.typeText(typed)
		s.waitFor(want)
		s.typeText("\x15")
	}
}
