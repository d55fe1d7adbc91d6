// Package docgen writes the reference of a command tree: Markdown pages and man pages, from the same texts that --help
// prints. Only a test of cmd/crossrole links it, which writes the pages or says that they are out of date.
package docgen

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands lists the tree depth first, hidden and generated help commands left out.
func Commands(root *cobra.Command) []*cobra.Command {
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	all := []*cobra.Command{root}
	for _, sub := range root.Commands() {
		if shown(sub) {
			all = append(all, Commands(sub)...)
		}
	}
	return all
}

func shown(cmd *cobra.Command) bool {
	return !cmd.Hidden && cmd.Name() != "help" && !cmd.IsAdditionalHelpTopicCommand()
}

// FileName is the command's page without its ending: crossrole-assume.
func FileName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "-")
}

// option is one flag as a page shows it.
type option struct {
	names   string // -h, --help
	value   string // the placeholder of its value
	usage   string
	preset  string // default worth showing
	environ string // the variable that sets it
}

// options lists a flag set in its order, hidden flags left out. environ names a flag's variable, or "".
func options(flags *pflag.FlagSet, environ func(string) string) []option {
	var all []option
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		o := option{names: "--" + f.Name}
		if f.Shorthand != "" {
			o.names = "-" + f.Shorthand + ", " + o.names
		}
		o.value, o.usage = pflag.UnquoteUsage(f)
		if !slices.Contains([]string{"", "false", "[]", "0", "0s"}, f.DefValue) {
			o.preset = f.DefValue
		}
		if f.Name != "help" && f.Name != "version" {
			o.environ = environ(f.Name)
		}
		all = append(all, o)
	})
	return all
}

// description is the long text, or the short one as a sentence.
func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return strings.TrimSpace(cmd.Long)
	}
	return strings.TrimSuffix(cmd.Short, ".") + "."
}

// examples is the example text without the indentation that all its lines share.
func examples(cmd *cobra.Command) string {
	lines := strings.Split(strings.Trim(cmd.Example, "\n"), "\n")
	shared := -1
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if shared < 0 || indent < shared {
			shared = indent
		}
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line[min(max(shared, 0), len(line)):], " ")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
