package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The examples for many accounts are what their systems read, and every flag in
// them is one that each has.
func TestManyAccountsExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/many-accounts/*")
	if err != nil || len(files) != 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	cmd := newEachCmd(newApp())
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if filepath.Ext(name) == ".json" {
			err = json.Unmarshal(raw, &doc)
		} else {
			err = yaml.Unmarshal(raw, &doc)
		}
		if err != nil || len(doc) == 0 {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range strings.FieldsFunc(string(raw), func(r rune) bool { return strings.ContainsRune(" \n\"'=)", r) }) {
			if flag, ok := strings.CutPrefix(word, "--"); ok && flag != "" && cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s: each has no flag --%s", name, flag)
			}
		}
	}
}
