package docgen

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Section is one more section of every man page, such as EXIT STATUS: terms and what they mean.
type Section struct {
	Title string
	Rows  [][2]string
}

// Man writes the page of one command in section 1, in the man macros that every troff knows. It carries no date and no
// version, so that the same tree gives the same bytes.
func Man(cmd *cobra.Command, environ func(string) string, sections []Section) string {
	var b strings.Builder
	name := FileName(cmd)
	fmt.Fprintf(&b, ".TH %s 1 \"\" crossrole \"crossrole manual\"\n.nh\n.ad l\n", strings.ToUpper(quoteMan(name)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", quoteMan(name), quoteMan(strings.TrimSuffix(cmd.Short, ".")))
	if cmd.Runnable() {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", quoteMan(cmd.UseLine()))
	}
	b.WriteString(".SH DESCRIPTION\n")
	manProse(&b, description(cmd))
	manCommands(&b, cmd)
	manOptions(&b, "OPTIONS", options(cmd.NonInheritedFlags(), environ))
	manOptions(&b, "OPTIONS OF EVERY COMMAND", options(cmd.InheritedFlags(), environ))
	if text := examples(cmd); text != "" {
		b.WriteString(".SH EXAMPLES\n")
		manCode(&b, text)
	}
	for _, s := range sections {
		fmt.Fprintf(&b, ".SH %s\n", quoteMan(s.Title))
		for _, row := range s.Rows {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", quoteMan(row[0]), quoteMan(row[1]))
		}
	}
	manSeeAlso(&b, cmd)
	return b.String()
}

func manProse(b *strings.Builder, text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, "  ") || strings.Contains(paragraph, "\n  ") {
			manCode(b, strings.Trim(paragraph, "\n"))
			continue
		}
		b.WriteString(quoteMan(paragraph) + "\n")
	}
}

func manCode(b *strings.Builder, text string) {
	b.WriteString(".EX\n" + quoteMan(text) + "\n.EE\n")
}

func manCommands(b *strings.Builder, cmd *cobra.Command) {
	rows := 0
	for _, sub := range cmd.Commands() {
		if !shown(sub) {
			continue
		}
		if rows == 0 {
			b.WriteString(".SH COMMANDS\n")
		}
		rows++
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", quoteMan(sub.CommandPath()), quoteMan(sub.Short))
	}
}

func manOptions(b *strings.Builder, title string, all []option) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, o := range all {
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR", quoteMan(o.names))
		if o.value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", quoteMan(o.value))
		}
		usage := o.usage
		if o.preset != "" {
			usage += " (default: " + o.preset + ")"
		}
		if o.environ != "" {
			usage += " [" + o.environ + "]"
		}
		fmt.Fprintf(b, "\n%s\n", quoteMan(usage))
	}
}

func manSeeAlso(b *strings.Builder, cmd *cobra.Command) {
	var pages []string
	if cmd.HasParent() {
		pages = append(pages, FileName(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if shown(sub) {
			pages = append(pages, FileName(sub))
		}
	}
	if len(pages) == 0 {
		return
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, page := range pages {
		end := ","
		if i == len(pages)-1 {
			end = ""
		}
		fmt.Fprintf(b, ".BR %s (1)%s\n", quoteMan(page), end)
	}
}

// quoteMan keeps troff from reading a text as its own: backslashes, hyphens that must stay hyphens, and lines that
// begin with a dot or a quote.
func quoteMan(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
