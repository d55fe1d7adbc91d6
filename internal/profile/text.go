package profile

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSpace is what Python's str.strip takes off, which is what the AWS CLI
// trims names and values with.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

func trim(s string) string { return strings.TrimFunc(s, isSpace) }

func isASCIIAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isNameByte tells the ASCII characters that the SDKs allow in the name of a
// profile or a property.
func isNameByte(c byte) bool {
	return isASCIIAlnum(c) || strings.IndexByte("_-/.%@:+", c) >= 0
}

// validName accepts what every reader takes for the name of a section.
// Unicode letters work in the AWS CLI and are seen in the wild.
func validName(name string) bool {
	for _, r := range name {
		if r < utf8.RuneSelf && !isNameByte(byte(r)) {
			return false
		}
		if r >= utf8.RuneSelf && !isWordRune(r) {
			return false
		}
	}
	return name != ""
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) || unicode.IsPunct(r))
}

// validKey accepts what the SDKs take for the name of a property.
func validKey(key string) bool {
	for i := range len(key) {
		if !isNameByte(key[i]) {
			return false
		}
	}
	return key != ""
}

// isPrintable tells text that cannot disturb a terminal.
func isPrintable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// cutComment takes off a comment: a # or ; after a blank.
func cutComment(line string) (text string, comment bool) {
	for i := 1; i < len(line); i++ {
		if (line[i] == '#' || line[i] == ';') && (line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i], true
		}
	}
	return line, false
}
