package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// module is one dependency and what it may be used under.
type module struct {
	Path, Version string
	Licence       string // SPDX identifier, or "unknown"
	Text          string // of the licence and notice files
}

// released are the systems of the release: a module that only Windows links is shipped as well.
var released = []string{"linux", "darwin", "windows"}

// linkedModules lists what cmd/crossrole links on any of the systems, by path.
func linkedModules(systems ...string) ([]module, error) {
	linked := map[string]module{}
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", "crossrole/cmd/crossrole")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		output, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w: %s", system, err, stderr.String())
		}
		if err := collect(output, linked); err != nil {
			return nil, err
		}
	}
	modules := make([]module, 0, len(linked))
	for _, path := range slices.Sorted(maps.Keys(linked)) {
		modules = append(modules, linked[path])
	}
	return modules, nil
}

// collect reads what `go list -json=Module` prints: one object a package.
func collect(output []byte, linked map[string]module) error {
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var pkg struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m := pkg.Module
		if m == nil || m.Main {
			continue
		}
		if _, seen := linked[m.Path]; seen {
			continue
		}
		licence, text, err := readLicence(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		linked[m.Path] = module{m.Path, m.Version, licence, text}
	}
}

// readLicence finds the licence files of a module's folder.
func readLicence(dir string) (licence, text string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	licence = unknownLicence
	var texts []string
	for _, entry := range entries {
		upper := strings.ToUpper(entry.Name())
		isLicence := slices.ContainsFunc([]string{"LICENSE", "LICENCE", "UNLICENSE", "COPYING"}, func(prefix string) bool {
			return strings.HasPrefix(upper, prefix)
		})
		if entry.IsDir() || !isLicence && !strings.HasPrefix(upper, "NOTICE") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", "", err
		}
		texts = append(texts, string(content))
		if isLicence && licence == unknownLicence {
			licence = classify(string(content))
		}
	}
	return licence, strings.Join(texts, "\n\n"), nil
}

const unknownLicence = "unknown"

// licenceMarks tell a licence by sentences that are in it and in no other; the first that fits wins.
var licenceMarks = []struct {
	licence string
	marks   []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0, january 2004"}},
	{"MPL-2.0", []string{"mozilla public license", "version 2.0"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms", "this list of conditions"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software", "provided that the above copyright notice"}},
	{"ISC", []string{"permission to use, copy, modify, and distribute this software for any purpose with or without fee"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "without restriction"}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
}

// classify names a licence text by its SPDX identifier, or says that it is unknown.
func classify(text string) string {
	flat := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, l := range licenceMarks {
		if !slices.ContainsFunc(l.marks, func(mark string) bool { return !strings.Contains(flat, mark) }) {
			return l.licence
		}
	}
	return unknownLicence
}

// mayShip: permissive licences, and MPL-2.0, whose duty ends at its own files, which are shipped unchanged.
func mayShip(licence string) bool {
	return slices.Contains([]string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "Unlicense"}, licence)
}

// moduleCache is where the go command keeps modules.
var moduleCache = sync.OnceValues(func() (string, error) {
	output, err := exec.Command("go", "env", "GOMODCACHE").Output()
	return strings.TrimSpace(string(output)), err
})

// moduleDir is where the module cache keeps a module: an upper-case letter is written as ! and the lower-case one
// (Go Modules Reference, "Module cache").
func moduleDir(path, version string) (string, error) {
	cache, err := moduleCache()
	if err != nil {
		return "", err
	}
	var escaped strings.Builder
	for _, r := range path + "@" + version {
		if unicode.IsUpper(r) {
			escaped.WriteByte('!')
		}
		escaped.WriteRune(unicode.ToLower(r))
	}
	return filepath.Join(cache, filepath.FromSlash(escaped.String())), nil
}
