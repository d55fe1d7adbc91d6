// Package word makes text that others wrote safe for a terminal, and words safe for a shell. It is the one place that says
// what does not print: control characters, escape sequences, marks of direction, bytes that are no UTF-8.
package word

import (
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes hostile text safe for a terminal: what has a character that does not print is quoted, as Go quotes it.
func Clean(text string) string {
	if hides(text) {
		return strconv.Quote(text)
	}
	return text
}

// Spell makes hostile text safe for a cell of a table: what does not print is spelled out where it stands, as Go spells it
// (\x1b for an escape), and nothing is quoted.
func Spell(text string) string {
	if !hides(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteToASCII(text[:size]), `"`))
		} else {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// hides tells whether the text holds what does not print as itself. Nearly all
// text is ASCII, where a look at each byte tells.
func hides(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return strings.ContainsFunc(text[i:], hidden)
		}
	}
	return false
}

// hidden tells what does not print as itself. U+FFFD stands for bytes that are no UTF-8, too.
func hidden(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }

// plain are the characters that no shell of Unix takes for anything else.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,="

// Shell quotes a word for a command line that a person may paste into a shell of this system. What does not
// print is spelled out, by the escapes of $'…' that bash, zsh and ksh read, and in which no shell runs anything.
func Shell(text string) string { return shell(text, runtime.GOOS == "windows") }

// On Windows double quotes are for what PowerShell and cmd.exe both take so, and the rest is in PowerShell's own.
func shell(text string, windows bool) string {
	switch {
	case !windows && hides(text):
		return "$'" + escaped(text) + "'"
	case windows && madeOf(plain+`\`, text), !windows && madeOf(plain+"%", text):
		return text
	case windows && madeOf(plain+`\ ()'`, text):
		return `"` + text + `"`
	case windows:
		// To PowerShell these are all quotes. It has no safe way to spell out what does not print.
		text = strings.Map(func(r rune) rune {
			if hidden(r) {
				return unicode.ReplacementChar
			}
			return r
		}, text)
		return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c == '\'' || c == '\\':
			b.WriteString(`\` + string(c))
		case c < ' ' || c >= 0x7f:
			b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func madeOf(characters, text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(characters, r) })
}

// Line joins words to a command line, each quoted by [Shell].
func Line(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Shell(w)
	}
	return strings.Join(quoted, " ")
}
