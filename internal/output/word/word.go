// Package word makes text that others wrote safe for a terminal, and words safe for a shell.
package word

import (
	"runtime"
	"strconv"
	"strings"
	"unicode"
)

// Clean makes hostile text safe for a terminal: what has a character that does not print is quoted, as Go quotes it.
func Clean(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// plain are the characters that no shell of Unix takes for anything else.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,="

// Shell quotes a word for a command line that a person may paste into a shell of this system. A control character, which
// no line can hold, is spelled out instead.
func Shell(text string) string { return shell(text, runtime.GOOS == "windows") }

// On Windows double quotes are for what PowerShell and cmd.exe both take so, and the rest is in PowerShell's own.
func shell(text string, windows bool) string {
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return strconv.Quote(text)
	case windows && madeOf(plain+`\`, text), !windows && madeOf(plain+"%", text):
		return text
	case windows && madeOf(plain+`\ ()'`, text):
		return `"` + text + `"`
	case windows:
		// To PowerShell these are all quotes.
		return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
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
