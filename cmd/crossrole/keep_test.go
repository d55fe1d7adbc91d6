package main

import (
	"slices"
	"strings"
	"testing"

	"crossrole/internal/remember"
)

// An answer may only be remembered if all that it was made from is part of its key.
func TestTheEarlyAnswerKnowsOurVariables(t *testing.T) {
	// These are read by commands whose answers are not remembered.
	elsewhere := []string{"SHELL", "PATH", "XDG_RUNTIME_DIR"}
	for _, v := range variables {
		if !remember.Matters(v.Name) && !slices.Contains(elsewhere, v.Name) && !strings.HasSuffix(v.Name, "_PROXY") {
			t.Errorf("package remember does not know that %s matters", v.Name)
		}
	}
	for _, name := range []string{"USERPROFILE", "LocalAppData", flagVariable("min-ttl")} {
		if !remember.Matters(name) {
			t.Errorf("package remember does not know that %s matters", name)
		}
	}
}
