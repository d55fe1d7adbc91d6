package output

import (
	"fmt"
	"strings"
	"unicode"
)

// nushell writes the variables as code for nushell: to be saved and sourced, or
// run by `nu -c`. (Nushell has no eval; for its prompt there is `crossrole init
// nushell`, or load-env with the environment of the format json.)
func nushell(variables []Variable, kept []string) (string, error) {
	set, unset := split(variables)
	var b strings.Builder
	if len(kept) > 0 {
		fields := make([]string, len(kept))
		for i, name := range kept {
			fields[i] = name + ": $env." + name
		}
		// No child sees a record.
		fmt.Fprintf(&b, "$env.CROSSROLE_WAS = {%s}\n", strings.Join(fields, ", "))
	}
	for _, v := range set {
		if err := needUTF8(v); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "$env.%s = %s\n", v.Name, nushellQuote(v.Value))
	}
	for _, name := range unset {
		fmt.Fprintf(&b, "hide-env --ignore-errors %s\n", name)
	}
	return b.String(), nil
}

// nushellRestore takes the session away.
func nushellRestore() string {
	return "if CROSSROLE_PROFILE in $env {\n" +
		"let crossrole_was = ($env.CROSSROLE_WAS? | default {})\n" +
		"hide-env --ignore-errors CROSSROLE_WAS CROSSROLE_PROFILE " + regionMark + " " + strings.Join(keepable(), " ") + "\n" +
		"load-env $crossrole_was\n}\n"
}

// nushellQuote makes a double-quoted text, which interpolates nothing.
func nushellQuote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
