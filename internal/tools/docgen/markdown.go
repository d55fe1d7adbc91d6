package docgen

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Markdown writes the page of one command. environ names the variable of a flag, or "" if it has none.
func Markdown(cmd *cobra.Command, environ func(string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", cmd.CommandPath(), sentence(cmd.Short))
	if cmd.Runnable() {
		fmt.Fprintf(&b, "```\n%s\n```\n\n", cmd.UseLine())
	}
	if cmd.Long != "" {
		fmt.Fprintf(&b, "## Description\n\n%s\n\n", prose(description(cmd)))
	}
	if text := examples(cmd); text != "" {
		fmt.Fprintf(&b, "## Examples\n\n```sh\n%s\n```\n\n", text)
	}
	commandTable(&b, cmd)
	optionTable(&b, "Flags", cmd.NonInheritedFlags(), environ)
	optionTable(&b, "Flags of every command", cmd.InheritedFlags(), environ)
	if cmd.HasParent() {
		parent := cmd.Parent()
		fmt.Fprintf(&b, "Part of [%s](%s.md).\n", parent.CommandPath(), FileName(parent))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func sentence(short string) string {
	return strings.ToUpper(short[:min(1, len(short))]) + strings.TrimSuffix(short[min(1, len(short)):], ".") + "."
}

// prose keeps a help text's paragraphs; what help indents is an example or a table, and becomes a code block.
func prose(text string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(paragraph, "  ") || strings.Contains(paragraph, "\n  ") {
			paragraph = "```text\n" + strings.Trim(paragraph, "\n") + "\n```"
		} else {
			paragraph = strings.NewReplacer("<", `\<`, "*", `\*`, "|", `\|`).Replace(paragraph)
		}
		paragraphs = append(paragraphs, paragraph)
	}
	return strings.Join(paragraphs, "\n\n")
}

func commandTable(b *strings.Builder, cmd *cobra.Command) {
	rows := 0
	for _, sub := range cmd.Commands() {
		if !shown(sub) {
			continue
		}
		if rows == 0 {
			b.WriteString("## Commands\n\n| command | for |\n|---|---|\n")
		}
		rows++
		fmt.Fprintf(b, "| [%s](%s.md) | %s |\n", sub.CommandPath(), FileName(sub), cell(sub.Short))
	}
	if rows > 0 {
		b.WriteString("\n")
	}
}

func optionTable(b *strings.Builder, title string, flags *pflag.FlagSet, environ func(string) string) {
	all := options(flags, environ)
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n| flag | meaning | environment |\n|---|---|---|\n", title)
	for _, o := range all {
		usage := cell(o.usage)
		if o.preset != "" {
			usage += " (default: `" + cell(o.preset) + "`)"
		}
		variable := ""
		if o.environ != "" {
			variable = "`" + o.environ + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.TrimSpace(o.names+" "+o.value), usage, variable)
	}
	b.WriteString("\n")
}

// cell makes a text fit into a table's cell.
func cell(text string) string {
	return strings.NewReplacer("\n", " ", "|", `\|`, "<", `\<`, "*", `\*`).Replace(text)
}
