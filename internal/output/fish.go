package output

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fish writes the variables for `… | source` and `eval (…)` in fish, which cuts
// our text at line ends only: no value has one.
//
// Variables are set in the global scope. What is taken away is taken from there;
// a universal variable of that name would show again from below and be exported
// to every child, so it goes too, and the person is told how to bring it back.
func fish(variables []Variable, kept []string) (string, error) {
	set, unset := split(variables)
	var b strings.Builder
	for _, name := range kept {
		fmt.Fprintf(&b, "set -gu %s \"$%s\";\n", was(name), name)
	}
	for _, v := range set {
		if strings.IndexByte(v.Value, 0) >= 0 {
			return "", &ValueError{Variable: v.Name, Why: aNUL}
		}
		fmt.Fprintf(&b, "set -gx %s %s;\n", v.Name, fishQuote(v.Value))
	}
	for _, name := range unset {
		fmt.Fprintf(&b, "set -e -g %s;\n", name)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} {
		fmt.Fprintf(&b, "if set -q -U %[1]s; echo crossrole: took away the universal variable; echo to bring it back: set -Ux %[1]s (string escape -- $%[1]s); set -e -U %[1]s; end >&2;\n", name)
	}
	return b.String(), nil
}

// fishRestore takes the session away.
func fishRestore() string {
	var b strings.Builder
	b.WriteString("if set -q CROSSROLE_PROFILE;\n")
	for _, name := range keepable() {
		fmt.Fprintf(&b, "if set -q %[2]s; set -gx %[1]s \"$%[2]s\"; set -e -g %[2]s; else; set -e -g %[1]s; end;\n", name, was(name))
	}
	fmt.Fprintf(&b, "set -e -g CROSSROLE_PROFILE; set -e -g %s;\nend;\n", regionMark)
	return b.String()
}

// fishQuote makes one word of any bytes but NUL. Inside single quotes only a
// quote and a backslash are special; outside them \Xhh is any byte, which is how
// line ends, what a terminal would act on, and what is no UTF-8 are spelled.
func fishQuote(value string) string {
	var b strings.Builder
	quoted := false
	quote := func(on bool) {
		if on != quoted {
			b.WriteByte('\'')
			quoted = on
		}
	}
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == utf8.RuneError && size == 1, !unicode.IsPrint(r):
			quote(false)
			for _, raw := range []byte(value[i : i+size]) {
				fmt.Fprintf(&b, `\X%02x`, raw)
			}
		default:
			quote(true)
			if r == '\'' || r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		i += size
	}
	quote(false)
	if b.Len() == 0 {
		return "''"
	}
	return b.String()
}
