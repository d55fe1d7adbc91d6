package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

// Everything that is linked has a licence that lets us ship it.
func TestLicencesOfWhatIsLinked(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"licences"}, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// The SBOM of a real binary (this test's own) names what it is made of, and is the same every time.
func TestSBOM(t *testing.T) {
	name := filepath.Join(t.TempDir(), "program")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3", "-o", name, "crossrole/internal/interop/testdata/caller")
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
