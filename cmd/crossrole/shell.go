package main

import (
	"embed"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"crossrole/internal/output"
)

// shellTexts are the functions and prompts that init prints.
//
//go:embed shells
var shellTexts embed.FS

// shellKind is a shell that init knows.
type shellKind struct {
	name   string
	file   string // its function; "" where there is none
	prompt string // its prompt; "" where there is none
	format string // of output, for the code that it runs
	quote  func(string) string
	list   func([]string) string // words, for a loop over them
}

func spaced(words []string) string { return strings.Join(words, " ") }

var shellKinds = []shellKind{
	{"bash", "bash.sh", "prompt.bash.sh", output.Env, posixWord, spaced},
	{"zsh", "zsh.zsh", "prompt.zsh", output.Env, posixWord, spaced},
	{"fish", "fish.fish", "prompt.fish", output.Fish, fishWord, spaced},
	{"powershell", "powershell.ps1", "", output.PowerShell, powershellWord, func(words []string) string {
		return "@('" + strings.Join(words, "', '") + "')"
	}},
	{"nushell", "nushell.nu", "", output.Nushell, strconv.Quote, func(words []string) string {
		return "[" + strings.Join(words, " ") + "]"
	}},
	{"starship", "", "starship.toml", "", nil, nil},
}

func shellNames() []string {
	names := make([]string, len(shellKinds))
	for i, s := range shellKinds {
		names[i] = s.name
	}
	return names
}

const initHelp = `Prints a function "assume" for the shell, which changes the shell that it is
called in:

  assume prod      use the credentials of the profile prod (all flags of
                   crossrole assume are understood)
  assume           choose a profile in a picker
  assume -         back to the profile before
  assume --unset   bring back what was there before, unset variables included

TAB completes profiles, with their accounts and roles. What was there before
stays in the shell, in variables that no child sees.

With --prompt the prompt begins with the profile and the time that its session
has left, in red under ten minutes; no process is started for it. For starship,
"init starship" prints the part of its file, and the shell's --prompt feeds it.`

func newInitCmd(a *app) *cobra.Command {
	var prompt bool
	cmd := &cobra.Command{
		Use:   "init SHELL",
		Short: "Print the function assume for a shell",
		Long:  initHelp,
		Example: `  eval "$(crossrole init bash)"               # in ~/.bashrc
  eval "$(crossrole init zsh --prompt)"       # in ~/.zshrc, after compinit
  crossrole init fish | source                # in ~/.config/fish/config.fish
  crossrole init powershell | Out-String | Invoke-Expression   # in $PROFILE
  crossrole init nushell | save --force ($nu.default-config-dir | path join crossrole.nu)
  crossrole init starship >> ~/.config/starship.toml`,
		Args:      exactShell,
		ValidArgs: shellNames(),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := initText(args[0], prompt, os.Args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.out, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&prompt, "prompt", false, "show the profile and the time left in the prompt too")
	return cmd
}

func exactShell(_ *cobra.Command, args []string) error {
	list := strings.Join(shellNames(), ", ")
	switch {
	case len(args) != 1:
		return &usageError{Why: "init takes the name of one shell", Advice: []string{"it is one of " + list}}
	case !slices.Contains(shellNames(), args[0]):
		return &usageError{Why: "unknown shell " + strconv.Quote(args[0]), Advice: []string{"it is one of " + list}}
	}
	return nil
}

// initText is what init prints for a shell of shellKinds.
func initText(name string, prompt bool, program string) (string, error) {
	s := shellKinds[slices.Index(shellNames(), name)]
	if s.file == "" {
		text, err := shellTexts.ReadFile("shells/" + s.prompt)
		return string(text), err
	}
	if prompt && s.prompt == "" {
		return "", &usageError{Why: "there is no --prompt for " + name, Advice: []string{"bash, zsh, fish and starship have one"}}
	}
	function, err := shellTexts.ReadFile("shells/" + s.file)
	if err != nil {
		return "", err
	}
	text, err := s.fill(string(function), program)
	if err != nil || !prompt {
		return text, err
	}
	snippet, err := shellTexts.ReadFile("shells/" + s.prompt)
	return text + string(snippet), err
}

// fill puts what only the program knows into a function's text: how to call it,
// and the variables of a session.
func (s shellKind) fill(text, program string) (string, error) {
	program, err := programPath(program)
	if err != nil {
		return "", err
	}
	restore, err := output.Restore(s.format)
	if err != nil {
		return "", err
	}
	names, kept := output.SessionNames()
	return strings.NewReplacer(
		"@crossrole@", s.quote(program),
		"@restore@", strings.TrimRight(restore, "\n"),
		"@before@", fishBefore(names, kept),
		"@names@", s.list(names),
		"@was@", s.list(slices.DeleteFunc(slices.Clone(kept), func(name string) bool { return name == "" })),
	).Replace(text), nil
}

// fishBefore hides the session from a child: values of before come back in the
// function's own scope, and names without one go into env's list. (Fish runs
// $(…) in itself, so nothing can be restored for it alone.)
func fishBefore(names, kept []string) string {
	var b strings.Builder
	for i, name := range names {
		hide := "set -a hidden -u " + name
		if kept[i] != "" {
			hide = "if set -q " + kept[i] + "; set -fx " + name + ` "$` + kept[i] + `"; else; ` + hide + "; end"
		}
		b.WriteString("        " + hide + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// programPath is how the function calls us later, from any folder: by the name
// that the PATH finds, or by the path that was given now. It is not the path of
// the file itself, which changes with every version that a package manager
// puts elsewhere.
func programPath(program string) (string, error) {
	if filepath.Base(program) == program {
		return program, nil
	}
	return filepath.Abs(program)
}

func posixWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func fishWord(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func powershellWord(text string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
}

const unsetHelp = `Prints code for the shell that takes a session away and brings back what was
there before it: old values, and variables that were not set.

The values of before never leave the shell: crossrole assume put them into
variables of the shell's own, which no child sees, and this code takes them back.
(cmd.exe has no such variables: there the session is taken away, and nothing
comes back.) Where there is no session the code does nothing.`

func newUnsetCmd(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "unset",
		Short: "Take the session out of a shell, and bring back what was there before",
		Long:  unsetHelp,
		Example: `  eval $(crossrole unset)
  crossrole unset --format fish | source
  crossrole unset --format powershell | Invoke-Expression`,
		Args: noMoreThan(0, "argument"),
		RunE: func(*cobra.Command, []string) error {
			if err := checkFormat(format, output.RestoreFormats()...); err != nil {
				return err
			}
			text, err := output.Restore(format)
			if err != nil {
				return err
			}
			if _, err = io.WriteString(a.out, text); err == nil && format == output.Env && a.outIsTerminal() {
				a.say("that is code for the shell to run:  eval $(crossrole unset)")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", output.Env, "for which shell: "+strings.Join(output.RestoreFormats(), ", "))
	return cmd
}
