package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// binary is a program and what its own build information says.
type binary struct {
	name   string
	sha256 string
	info   *debug.BuildInfo
	made   string // RFC 3339; SOURCE_DATE_EPOCH, so that the document is reproducible
}

func readBinary(name string) (*binary, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: not a Go binary: %w", name, err)
	}
	sum := sha256.Sum256(content)
	made := time.Unix(0, 0)
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		var seconds int64
		if _, err := fmt.Sscan(epoch, &seconds); err != nil {
			return nil, fmt.Errorf("SOURCE_DATE_EPOCH %q: %w", epoch, err)
		}
		made = time.Unix(seconds, 0)
	}
	return &binary{filepath.Base(name), hex.EncodeToString(sum[:]), info, made.UTC().Format(time.RFC3339)}, nil
}

// version is what was linked in as main.version, or the module's own.
func (b *binary) version() string {
	for _, setting := range b.info.Settings {
		if _, version, ok := strings.Cut(setting.Value, "main.version="); setting.Key == "-ldflags" && ok {
			return strings.Trim(strings.Fields(version + " ")[0], `"'`)
		}
	}
	return b.info.Main.Version
}

// purl is the package URL of a Go module.
func purl(m *debug.Module) string { return "pkg:golang/" + m.Path + "@" + m.Version }

var notInID = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func spdxID(m *debug.Module) string {
	return "SPDXRef-" + notInID.ReplaceAllString(m.Path+"-"+m.Version, "-")
}

// document is JSON under construction; maps are written with sorted keys, so the bytes are stable.
type document = map[string]any

// spdx writes SPDX 2.3.
func (b *binary) spdx() ([]byte, error) {
	const root = "SPDXRef-crossrole"
	packages := []document{{
		"name": b.info.Main.Path, "SPDXID": root, "versionInfo": b.version(), "downloadLocation": "NOASSERTION",
		"packageFileName": b.name, "licenseDeclared": "Apache-2.0", "licenseConcluded": "Apache-2.0", "copyrightText": "NOASSERTION",
		"filesAnalyzed": false, "primaryPackagePurpose": "APPLICATION",
		"checksums": []document{{"algorithm": "SHA256", "checksumValue": b.sha256}},
	}}
	relationships := []document{{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": root}}
	for _, m := range b.info.Deps {
		licence := b.licence(m)
		if licence == unknownLicence {
			licence = "NOASSERTION"
		}
		packages = append(packages, document{
			"name": m.Path, "SPDXID": spdxID(m), "versionInfo": m.Version, "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
			"licenseDeclared": licence, "licenseConcluded": licence, "copyrightText": "NOASSERTION",
			"externalRefs": []document{{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl(m)}},
		})
		relationships = append(relationships, document{"spdxElementId": root, "relationshipType": "DEPENDS_ON", "relatedSpdxElement": spdxID(m)})
	}
	return encode(document{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": b.name,
		// A name, not an address: it only has to be unique to these bytes.
		"documentNamespace": "urn:crossrole:sbom:" + b.sha256,
		"creationInfo":      document{"created": b.made, "creators": []string{"Tool: crossrole-deps"}},
		"packages":          packages, "relationships": relationships,
	})
}

// cyclonedx writes CycloneDX 1.5.
func (b *binary) cyclonedx() ([]byte, error) {
	const root = "crossrole"
	components, depends := []document{}, []string{}
	for _, m := range b.info.Deps {
		component := document{"type": "library", "bom-ref": purl(m), "name": m.Path, "version": m.Version, "purl": purl(m)}
		if licence := b.licence(m); licence != unknownLicence {
			component["licenses"] = []document{{"license": document{"id": licence}}}
		}
		components = append(components, component)
		depends = append(depends, purl(m))
	}
	return encode(document{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata": document{
			"timestamp": b.made,
			"component": document{
				"type": "application", "bom-ref": root, "name": b.info.Main.Path, "version": b.version(),
				"licenses": []document{{"license": document{"id": "Apache-2.0"}}},
				"hashes":   []document{{"alg": "SHA-256", "content": b.sha256}},
			},
		},
		"components":   components,
		"dependencies": []document{{"ref": root, "dependsOn": depends}},
	})
}

// licence looks into the module cache; a module that is not there has no known licence.
func (b *binary) licence(m *debug.Module) string {
	for m.Replace != nil {
		m = m.Replace
	}
	dir, err := moduleDir(m.Path, m.Version)
	if err != nil {
		return unknownLicence
	}
	licence, _, err := readLicence(dir)
	if err != nil {
		return unknownLicence
	}
	return licence
}

func encode(d document) ([]byte, error) {
	encoded, err := json.MarshalIndent(d, "", "  ")
	return append(encoded, '\n'), err
}
