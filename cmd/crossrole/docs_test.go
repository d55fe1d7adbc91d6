package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"crossrole/internal/localsts"
)

// What the pages show is true: every command line in a fence is run (docsrun_unix_test.go), what is named in the text
// exists, and links lead somewhere.
//
// A fence says what it is:
//
//	sh            commands, run in order in one shell for the whole page
//	console       lines after "$ " are run, in the same shell; what they print is compared, … stands for anything, and a
//	              line of … alone for any lines. Without output nothing is compared
//	sh make       every line is a make target, which exists; it is not run
//	bash, zsh     run in that shell where it is there
//	fish          read by fish -n where it is there
//	ini           each credential_process in it is run
//
// and after that: exit=N, when the last command must end with N; file=NAME, for a file that the commands find.
// A fence without a language is an error, and so is a command in a fence of any other language.

// docsCode is what the MFA device of the pages' reader shows: that of testdata/docs/accounts. A code works once, so each
// call gives the next one that STS would take, counted in a file of the reader's home. (A person would wait.)
func docsCode(home string) string {
	const period = 30 // seconds
	file := filepath.Join(home, ".otp")
	next := time.Now().Unix()/period - 1
	if text, err := os.ReadFile(file); err == nil {
		last, _ := strconv.ParseInt(string(text), 10, 64)
		next = max(next, last+1)
	}
	code, err := localsts.MFADevice{Seed: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}.Code(time.Unix(next*period, 0))
	if err == nil {
		err = os.WriteFile(file, []byte(strconv.FormatInt(next, 10)), 0o600)
	}
	if err != nil {
		panic(err)
	}
	return code
}

// fence is a block of code in a page.
type fence struct {
	line  int // of its first line of text
	lang  string
	attrs map[string]string
	body  []string
}

func (f fence) text() string { return strings.Join(f.body, "\n") + "\n" }

var fenceMark = regexp.MustCompile("^( *)```(.*)$")

// parseFences reads a page's fences.
func parseFences(page string) ([]fence, error) {
	var out []fence
	var open *fence
	indent := ""
	for i, line := range strings.Split(page, "\n") {
		m := fenceMark.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open = newFence(i+2, m[2])
			indent = m[1]
			if open.lang == "" {
				return nil, fmt.Errorf("line %d: a fence without a language", i+1)
			}
		case m != nil && strings.TrimSpace(m[2]) == "":
			out = append(out, *open)
			open = nil
		case open != nil:
			open.body = append(open.body, strings.TrimPrefix(line, indent))
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: a fence that is never closed", open.line-1)
	}
	return out, nil
}

func newFence(line int, info string) *fence {
	f := &fence{line: line, attrs: map[string]string{}}
	for i, word := range strings.Fields(info) {
		if k, v, _ := strings.Cut(word, "="); i == 0 {
			f.lang = k
		} else {
			f.attrs[k] = v
		}
	}
	return f
}

// step is one thing to run, or a file to write before the next.
type step struct {
	line  int
	shell string // sh, bash, zsh
	text  string
	file  string // written instead of run
	exit  int
	want  []string // nil: whatever it prints is right
}

// notRun are languages of fences that hold no commands of a shell.
var notRun = []string{"text", "json", "yaml", "hcl", "http", "toml", "powershell", "nushell", "fish", "ini"}

var aCommand = regexp.MustCompile(`^\s*(\$ |eval |crossrole )`)

// stepsOf turns the fences of a page into steps.
func stepsOf(fences []fence) ([]step, error) {
	var out []step
	for _, f := range fences {
		exit, err := strconv.Atoi("0" + f.attrs["exit"])
		if err != nil {
			return nil, fmt.Errorf("line %d: exit=%s", f.line, f.attrs["exit"])
		}
		_, isMake := f.attrs["make"]
		switch {
		case f.attrs["file"] != "":
			out = append(out, step{line: f.line, shell: "sh", file: f.attrs["file"], text: f.text()})
		case isMake:
		case slices.Contains([]string{"sh", "bash", "zsh"}, f.lang):
			out = append(out, step{line: f.line, shell: f.lang, text: f.text(), exit: exit})
		case f.lang == "console":
			more, err := transcript(f, exit)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		case slices.Contains(notRun, f.lang):
			more, err := commandsIn(f)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		default:
			return nil, fmt.Errorf("line %d: nobody knows what a fence of %q is", f.line, f.lang)
		}
	}
	return out, nil
}

// transcript reads a console fence: commands and what they print.
func transcript(f fence, exit int) ([]step, error) {
	var out []step
	shell := "sh"
	if _, ok := f.attrs["bash"]; ok {
		shell = "bash"
	}
	goesOn := false
	for i, line := range f.body {
		command, ok := strings.CutPrefix(line, "$ ")
		switch {
		case goesOn:
			out[len(out)-1].text += line + "\n"
			goesOn = strings.HasSuffix(line, `\`)
		case ok:
			out = append(out, step{line: f.line + i, shell: shell, text: command + "\n"})
			goesOn = strings.HasSuffix(command, `\`)
		case len(out) == 0:
			return nil, fmt.Errorf("line %d: output before the first command", f.line+i)
		default:
			out[len(out)-1].want = append(out[len(out)-1].want, line)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("line %d: a console without a command", f.line)
	}
	out[len(out)-1].exit = exit
	return out, nil
}

var processKey = regexp.MustCompile(`^credential_process\s*=\s*(.*)$`)

// commandsIn finds what a fence that isn't run holds all the same.
func commandsIn(f fence) ([]step, error) {
	var out []step
	for i, line := range f.body {
		m := processKey.FindStringSubmatch(line)
		switch {
		case f.lang == "ini" && m != nil:
			out = append(out, step{line: f.line + i, shell: "sh", text: m[1] + "\n"})
		case aCommand.MatchString(line) && !slices.Contains([]string{"fish", "powershell", "nushell"}, f.lang):
			return nil, fmt.Errorf("line %d: a command in a fence of %s is not run: %s", f.line+i, f.lang, line)
		}
	}
	return out, nil
}

// matches compares what a transcript shows with what was printed.
func matches(want []string, got string) bool {
	var b strings.Builder
	b.WriteString(`^`)
	for _, line := range want {
		line = strings.TrimRight(line, " ")
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + ` *\n`)
	}
	b.WriteString(`\n*$`)
	return regexp.MustCompile(b.String()).MatchString(got)
}

// pages are the files whose commands are run: those that people read, without what is generated.
func pages(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	out := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.ToSlash(name)] = strings.ReplaceAll(string(text), "\r\n", "\n")
		}
	}
	if len(out) < 5 {
		t.Fatalf("only %d pages", len(out))
	}
	return out
}

// Every fence says what it is, and every make target of a page exists.
func TestDocsFences(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range pages(t) {
		fences, err := parseFences(text)
		if err == nil {
			_, err = stepsOf(fences)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range fences {
			if _, ok := f.attrs["make"]; ok {
				for _, problem := range unknownTargets(f, string(makefile)) {
					t.Errorf("%s: %s", name, problem)
				}
			}
		}
	}
}

// unknownTargets names the lines of a make fence that make would not know.
func unknownTargets(f fence, makefile string) []string {
	var problems []string
	for i, line := range f.body {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] != "make" {
			problems = append(problems, fmt.Sprintf("line %d: %q is not make", f.line+i, words[0]))
			continue
		}
		for _, word := range words[1:] {
			if !strings.Contains(word, "=") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(word)+`:`).MatchString(makefile) {
				problems = append(problems, fmt.Sprintf("line %d: the Makefile has no target %s", f.line+i, word))
			}
		}
	}
	return problems
}

var (
	codeSpan = regexp.MustCompile("`(crossrole [^`]+|--[a-z][^`]*)`")
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// Commands and flags that the running text names exist. (Flags of other tools are on the page that compares with them.)
func TestDocsNameWhatExists(t *testing.T) {
	flags := map[string]bool{}
	eachCommand(newRoot(newApp()), func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { flags["--"+f.Name] = true })
	})
	for _, others := range []string{"--help", "--network", "--env-file"} {
		flags[others] = true
	}
	for name, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
				if why := unknownIn(m[1], flags); why != "" && (name != "docs/coming-from.md" || strings.HasPrefix(m[1], "crossrole")) {
					t.Errorf("%s:%d: `%s`: %s", name, i+1, m[1], why)
				}
			}
		}
	}
}

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, do)
	}
}

// unknownIn says what of a code span does not exist.
func unknownIn(span string, flags map[string]bool) string {
	span, _, _ = strings.Cut(span, " | ")
	words := strings.Fields(strings.ReplaceAll(span, `\`, ""))
	if words[0] != "crossrole" {
		if flag, _, _ := strings.Cut(words[0], "="); !flags[flag] {
			return "no command has this flag"
		}
		return ""
	}
	root := newRoot(newApp())
	cmd, rest, err := root.Find(words[1:])
	if err != nil {
		return err.Error()
	}
	if cmd == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && !strings.ContainsAny(rest[0], "…<") {
		return "no such command"
	}
	for _, word := range rest {
		if word == "--" {
			break
		}
		flag, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if strings.HasPrefix(word, "--") && cmd.Flag(flag) == nil && flag != "help" && flag != "version" {
			return cmd.CommandPath() + " has no flag --" + flag
		}
	}
	return ""
}

// Links between the pages lead to files that are there.
func TestDocsLinks(t *testing.T) {
	for name, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, m := range pageLink.FindAllStringSubmatch(line, -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, "://") {
					continue
				}
				if _, err := os.Stat(filepath.Join("..", "..", filepath.Dir(filepath.FromSlash(name)), filepath.FromSlash(target))); err != nil {
					t.Errorf("%s:%d: a link to %s, which is not there", name, i+1, target)
				}
			}
		}
	}
}

var quotedMessage = regexp.MustCompile("(?m)^### `([^`]+)`$")

// Every message that the troubleshooting page explains is one that the program has: its fixed parts are in the sources.
func TestTroubleshootingQuotesTheProgram(t *testing.T) {
	texts := literals(t, "*.go", "../../internal/assume/*.go", "../../internal/profile/*.go", "../../internal/cache/*.go", "../../internal/explain/*.go")
	messages := quotedMessage.FindAllStringSubmatch(pages(t)["docs/troubleshooting.md"], -1)
	if len(messages) < 10 {
		t.Fatalf("only %d messages", len(messages))
	}
	for _, m := range messages {
		for _, problem := range notSaid(m[1], texts) {
			t.Error(problem)
		}
	}
	if len(notSaid("the moon is in the way of …", texts)) == 0 {
		t.Error("a message that nobody prints is found")
	}
}

// notSaid names the fixed parts of a message (between its …) that no text holds.
func notSaid(message string, texts []string) []string {
	if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, message) }) {
		return nil // with an … of its own
	}
	var problems []string
	for _, part := range strings.Split(message, "…") {
		part = strings.TrimSpace(part)
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, part) }) {
			problems = append(problems, fmt.Sprintf("%q: no text of the program holds %q", message, part))
		}
	}
	return problems
}

// literals are the texts in the sources, without the tests'.
func literals(t *testing.T, patterns ...string) []string {
	t.Helper()
	var out []string
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if text, err := strconv.Unquote(lit.Value); err == nil {
						out = append(out, text)
					}
				}
				return true
			})
		}
	}
	return out
}
