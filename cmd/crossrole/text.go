package main

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"

	"crossrole/internal/word"
)

// clean makes hostile text safe for a terminal.
func clean(text string) string { return word.Clean(text) }

// shellWord quotes a word for a command line that a person may paste.
func shellWord(text string) string { return word.Shell(text) }

// shellWords quotes and joins the words of a command line.
func shellWords(words []string) string { return word.Line(words) }

// sortedPairs walks a map in the order of its keys.
func sortedPairs[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// harmless is the last guard before a terminal: text that reached a message
// unquoted can neither drive the terminal nor turn the line's direction.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, text)
}

// lines is a text that grows by lines.
type lines struct{ strings.Builder }

func (l *lines) add(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }
