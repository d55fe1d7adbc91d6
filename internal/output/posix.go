package output

import (
	"fmt"
	"strings"
)

// posix writes the variables for eval in bash, dash, zsh and ksh.
//
// `eval $(…)` without quotes is what people type, and then the shell first
// splits our text at blanks and line ends, matches each word against the files
// of the current folder, and only then joins the words by single blanks and
// runs them. So every statement ends with a semicolon, and no word holds
// anything that a glob, a brace or another expansion could take for its own.
// A value that has more than plain characters is spelled in octal (see octal).
func posix(variables []Variable, kept []string, export bool) (string, error) {
	command := ""
	if export {
		command = "export "
	}
	set, unset := split(variables)
	var b strings.Builder
	for _, name := range kept {
		fmt.Fprintf(&b, "%s=\"${%s-}\";\n", was(name), name)
	}
	for _, v := range set {
		switch {
		case strings.IndexByte(v.Value, 0) >= 0:
			return "", &ValueError{Variable: v.Name, Why: aNUL}
		case isPlain(v.Value):
			fmt.Fprintf(&b, "%s%s='%s';\n", command, v.Name, v.Value)
		default:
			octal(&b, command, v)
		}
	}
	if len(unset) > 0 {
		fmt.Fprintf(&b, "unset %s;\n", strings.Join(unset, " "))
	}
	return b.String(), nil
}

// octal sets a variable to any bytes. The shell's own printf makes the value in
// two steps: the first joins backslashes and octal numbers to the text \101\102,
// the second reads that. Spelled directly, each word would hold a backslash
// before a digit, which bash 5.0 takes for a glob (and then nullglob drops it);
// here a backslash is always the last of its word, '\ ' cut to one character.
// No brackets, braces with commas, parentheses or pipes: each of them is a glob
// or an expansion of words in some shell. The final x keeps $(…) from cutting
// line ends, and is taken away at the end.
func octal(b *strings.Builder, command string, v Variable) {
	fmt.Fprintf(b, "%s=`printf %%.1s%%s", v.Name)
	for i := range len(v.Value) {
		fmt.Fprintf(b, ` '\ ' %03o`, v.Value[i])
	}
	fmt.Fprintf(b, " x`;\n%[1]s=\"`printf \"$%[1]s\"`\";\n%[2]s%[1]s=\"${%[1]s%%x}\";\n", v.Name, command)
}

// posixRestore takes the session away, for the same kinds of eval.
func posixRestore() string {
	var b strings.Builder
	b.WriteString("if test \"${CROSSROLE_PROFILE-}\"; then\n")
	for _, name := range keepable() {
		fmt.Fprintf(&b, "if test \"${%[2]s+1}\"; then export %[1]s=\"$%[2]s\"; unset %[2]s; else unset %[1]s; fi;\n", name, was(name))
	}
	fmt.Fprintf(&b, "unset CROSSROLE_PROFILE %s;\nfi;\n", regionMark)
	return b.String()
}
