package output

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// powershell writes the variables for `… | Invoke-Expression` and
// `… | Out-String | Invoke-Expression`: the first runs each line by itself, so
// every line is a whole statement. A variable set to $null is taken away.
func powershell(variables []Variable, kept []string) (string, error) {
	var b strings.Builder
	for _, name := range kept {
		fmt.Fprintf(&b, "$global:%s = $env:%s;\n", was(name), name)
	}
	for _, v := range variables {
		if v.Unset {
			fmt.Fprintf(&b, "$env:%s = $null;\n", v.Name)
			continue
		}
		if err := needUTF8(v); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "$env:%s = %s;\n", v.Name, powershellQuote(v.Value))
	}
	return b.String(), nil
}

// powershellRestore takes the session away; one statement, so one line.
func powershellRestore() string {
	var b strings.Builder
	b.WriteString("if ($env:CROSSROLE_PROFILE) { ")
	for _, name := range keepable() {
		fmt.Fprintf(&b, "if (Get-Variable -Scope Global -Name %[2]s -ErrorAction Ignore) { $env:%[1]s = $global:%[2]s; Remove-Variable -Scope Global -Name %[2]s } else { $env:%[1]s = $null }; ", name, was(name))
	}
	fmt.Fprintf(&b, "$env:CROSSROLE_PROFILE = $null; $env:%s = $null }\n", regionMark)
	return b.String()
}

// powershellQuote makes an expression of any text. Inside single quotes only a
// single quote is special, and PowerShell takes ‘ ’ ‚ ‛ for single quotes too
// (about_Quoting_Rules). What is not printable ASCII is spelled by its UTF-16
// units: it would also not survive the console's code page on the way to
// Invoke-Expression.
func powershellQuote(value string) string {
	parts := []string{}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 || len(parts) == 0 {
			parts = append(parts, "'"+literal.String()+"'")
			literal.Reset()
		}
	}
	for _, r := range value {
		switch {
		case r == '\'':
			literal.WriteString("''")
		case r >= ' ' && r < 0x7f:
			literal.WriteRune(r)
		default:
			flush() // an empty one at the beginning makes the sum a text
			for _, unit := range utf16.AppendRune(nil, r) {
				parts = append(parts, fmt.Sprintf("[char]0x%04x", unit))
			}
		}
	}
	if literal.Len() > 0 || len(parts) == 0 {
		flush()
	}
	return strings.Join(parts, "+")
}

// cmdRefused is what cmd.exe changes inside `set "NAME=value"`, on some of the
// ways that our lines take: a batch file, for /f, or a paste. There is no
// spelling that is right on all of them.
var cmdRefused = []struct{ char, why string }{
	{"\x00", aNUL},
	{"\r", aNewline},
	{"\n", aNewline},
	{"%", "a percent sign"},      // expands variables; %% means % in a batch file only
	{"!", "an exclamation mark"}, // expands variables under delayed expansion
	{`"`, "a double quote"},      // ends the quotes, and & | < > come alive behind them
}

// windowsCmd writes the variables as lines of a batch file for cmd.exe.
// Between the quotes & | < > ^ ( ) and blanks mean themselves.
func windowsCmd(variables []Variable) (string, error) {
	var b strings.Builder
	for _, v := range variables {
		for _, refused := range cmdRefused {
			if strings.Contains(v.Value, refused.char) {
				return "", &ValueError{Variable: v.Name, Why: refused.why}
			}
		}
		switch {
		case strings.ContainsFunc(v.Value, isControl):
			return "", &ValueError{Variable: v.Name, Why: aControl}
		case strings.ContainsFunc(v.Value, func(r rune) bool { return r > 0x7e }):
			return "", &ValueError{Variable: v.Name, Why: notASCII} // its bytes depend on the code page
		}
		fmt.Fprintf(&b, "set \"%s=%s\"\n", v.Name, v.Value)
	}
	return b.String(), nil
}

// cmdRestore takes the session away. cmd.exe has no variables but those that
// every child sees: nothing is kept there, so nothing comes back.
func cmdRestore() string {
	var b strings.Builder
	for _, name := range append(keepable(), regionMark, "CROSSROLE_PROFILE") {
		fmt.Fprintf(&b, "if defined CROSSROLE_PROFILE set \"%s=\"\n", name)
	}
	return b.String()
}
