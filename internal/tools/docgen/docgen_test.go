package docgen

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "tool", Short: "do things"}
	root.PersistentFlags().Bool("debug", false, "say what is done")
	sub := &cobra.Command{
		Use: "take [THING]", Short: "Take one | or <more>",
		Long:    "Takes it.\n\n.dotted line, with 'quotes' and a \\ in it\n\n  code --here\n  and here",
		Example: "  tool take it\n    indented", RunE: func(*cobra.Command, []string) error { return nil },
	}
	sub.Flags().StringP("format", "f", "env", "print as `FORM`")
	sub.Flags().Bool("secret", false, "not shown")
	if err := sub.Flags().MarkHidden("secret"); err != nil {
		panic(err)
	}
	root.AddCommand(sub, &cobra.Command{Use: "ghost", Hidden: true, Run: func(*cobra.Command, []string) {}})
	return root
}

func environ(flag string) string { return "TOOL_" + strings.ToUpper(flag) }

func TestCommandsLeavesHiddenOnesOut(t *testing.T) {
	var names []string
	for _, cmd := range Commands(tree()) {
		names = append(names, FileName(cmd))
	}
	if got := strings.Join(names, " "); got != "tool tool-take" {
		t.Errorf("commands: %s", got)
	}
}

func contains(t *testing.T, page string, wanted ...string) {
	t.Helper()
	for _, text := range wanted {
		if !strings.Contains(page, text) {
			t.Errorf("no %q in\n%s", text, page)
		}
	}
}

func TestMarkdown(t *testing.T) {
	all := Commands(tree())
	contains(t, Markdown(all[0], environ), "| [tool take](tool-take.md) | Take one \\| or \\<more> |\n")
	page := Markdown(all[1], environ)
	contains(
		t, page, "# tool take\n", "```\ntool take [THING] [flags]\n```", "```text\n  code --here\n  and here\n```", "```sh\ntool take it\n  indented\n```",
		"| `-f, --format FORM` | print as FORM (default: `env`) | `TOOL_FORMAT` |", "| `--debug` | say what is done | `TOOL_DEBUG` |", "Part of [tool](tool.md)",
	)
	if strings.Contains(page, "secret") {
		t.Error("a hidden flag is shown")
	}
}

func TestManPageIsQuoted(t *testing.T) {
	page := Man(Commands(tree())[1], environ, []Section{{"EXIT STATUS", [][2]string{{"0", "done"}}}})
	contains(
		t, page, ".TH TOOL\\-TAKE 1", "tool\\-take \\- Take one | or <more>\n", "\n\\&.dotted line, with \\(aqquotes\\(aq and a \\e in it\n",
		".EX\n  code \\-\\-here", "\\fB\\-f, \\-\\-format\\fR \\fIFORM\\fR\nprint as FORM (default: env) [TOOL_FORMAT]\n", ".SH EXIT STATUS\n.TP\n.B 0\ndone\n", ".BR tool (1)\n",
	)
}
