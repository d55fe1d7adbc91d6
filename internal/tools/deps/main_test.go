package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	own, err := os.ReadFile("../../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"ours", string(own), "Apache-2.0"},
		{"mit", "Permission is hereby granted,\n  free of charge, to any person … without restriction, including", "MIT"},
		{"bsd3", "Redistribution and use in source and binary forms … this list of conditions … Neither the name of", "BSD-3-Clause"},
		{"bsd2", "Redistribution and use in source and binary forms … this list of conditions", "BSD-2-Clause"},
		{"gpl", "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007", unknownLicence},
		{"none", "", unknownLicence},
	}
	for _, tt := range tests {
		if got := classify(tt.text); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if mayShip(unknownLicence) {
		t.Error("a licence that nobody knows may not be shipped")
	}
}

// Everything that is linked has a licence that lets us ship it. (`make lint` asks the same for every system; here it is
// this one, whose modules the tests have anyway.)
func TestLicencesOfWhatIsLinked(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	var out bytes.Buffer
	if err := licences(&out, runtime.GOOS); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// docs/dependencies.md has one row, with a reason, for each module that go.mod asks for directly.
func TestEveryDependencyHasAReason(t *testing.T) {
	goMod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| (.+) \\|\r?$").FindAllStringSubmatch(string(page), -1) {
		if reasons[row[1]] != "" {
			t.Errorf("%s has two rows", row[1])
		}
		reasons[row[1]] = row[2]
	}
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)\r?$`).FindAllStringSubmatch(string(goMod), -1) {
		said, ok := reasons[line[1]]
		if delete(reasons, line[1]); !ok {
			t.Errorf("docs/dependencies.md has no row for %s", line[1])
			continue
		}
		dir, err := moduleDir(line[1], line[2])
		if err != nil {
			t.Fatal(err)
		}
		if licence, _, err := readLicence(dir); err == nil && licence != said {
			t.Errorf("docs/dependencies.md says %s for %s: it is %s", said, line[1], licence)
		}
	}
	for path := range reasons {
		t.Errorf("docs/dependencies.md has a row for %s, which go.mod does not ask for", path)
	}
}

// The SBOM of a real binary (this test's own) names what it is made of, and is the same every time.
func TestSBOM(t *testing.T) {
	name := filepath.Join(t.TempDir(), "program")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3", "-o", name, "crossrole/internal/tools/caller")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for format, want := range map[string][]string{
		"spdx": {
			`"spdxVersion": "SPDX-2.3"`, `"versionInfo": "v1.2.3"`, `"referenceLocator": "pkg:golang/github.com/aws/smithy-go@`,
			`"licenseDeclared": "Apache-2.0"`, `"relationshipType": "DEPENDS_ON"`,
		},
		"cyclonedx": {
			`"bomFormat": "CycloneDX"`, `"version": "v1.2.3"`, `"purl": "pkg:golang/github.com/aws/smithy-go@`, `"id": "Apache-2.0"`,
		},
	} {
		var first, second bytes.Buffer
		for _, out := range []*bytes.Buffer{&first, &second} {
			if err := run([]string{"sbom", "-format", format, name}, out); err != nil {
				t.Fatal(err)
			}
		}
		if !json.Valid(first.Bytes()) || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: not JSON, or not the same twice", format)
		}
		for _, text := range want {
			if !strings.Contains(first.String(), text) {
				t.Errorf("%s has no %s", format, text)
			}
		}
	}
	if err := run([]string{"sbom", "main_test.go"}, &bytes.Buffer{}); err == nil {
		t.Error("a text file is no binary")
	}
}
