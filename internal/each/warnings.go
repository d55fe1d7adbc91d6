package each

import (
	"fmt"
	"io"
	"strconv"

	"crossrole/internal/word"
)

// Warnings gathers what plans warn of, so that a person reads it once and not
// for each of a thousand accounts. The zero Warnings is ready for use.
type Warnings struct {
	texts []string                   // in the order in which they came
	of    map[string]map[string]bool // the text → the profiles
}

// Add notes what a target's plan warns of.
func (w *Warnings) Add(t Target, list []string) {
	for _, text := range list {
		if w.of == nil {
			w.of = map[string]map[string]bool{}
		}
		if w.of[text] == nil {
			w.of[text] = map[string]bool{}
			w.texts = append(w.texts, text)
		}
		w.of[text][t.Profile] = true
	}
}

// Write tells them, a line each: of whom, or of how many.
func (w *Warnings) Write(to io.Writer) {
	for _, text := range w.texts {
		whose := fmt.Sprintf("%d profiles", len(w.of[text]))
		if len(w.of[text]) == 1 {
			for name := range w.of[text] {
				whose = "profile " + strconv.Quote(name)
			}
		}
		fmt.Fprintf(to, "crossrole: warning: %s: %s\n", whose, word.Clean(text))
	}
}
