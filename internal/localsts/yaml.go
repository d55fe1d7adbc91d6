package localsts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxYAMLDepth bounds how deep a file may be nested.
const maxYAMLDepth = 200

var errAlias = errors.New("YAML anchors and aliases are not supported")

// parseYAML reads one YAML or JSON document into nodes. Aliases are refused: nobody needs them here, and with them a
// page of text can stand for gigabytes.
func parseYAML(b []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(bytes.TrimPrefix(b, []byte("\ufeff")), &doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, errors.New("the file is empty")
	}
	return doc.Content[0], checkNodes(doc.Content[0], 0)
}

func checkNodes(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("line %d: %w", n.Line, errAlias)
	}
	if depth > maxYAMLDepth {
		return fmt.Errorf("line %d: nested more than %d deep", n.Line, maxYAMLDepth)
	}
	for _, k := range n.Content {
		if err := checkNodes(k, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// documentOf writes a policy given as a node: text as it stands, an object as JSON, its members in their order.
func documentOf(n *yaml.Node) (Document, error) {
	if n.Kind == yaml.ScalarNode {
		return Document(n.Value), nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, n); err != nil {
		return "", err
	}
	return Document(b.String()), nil
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, n.Content[i].Value)
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, k := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, k); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case yaml.ScalarNode:
		writeScalar(b, n)
	default:
		return fmt.Errorf("line %d: %w", n.Line, errAlias)
	}
	return nil
}

// writeScalar keeps booleans, whole numbers and null; everything else, dates such as a policy's Version above all, is text.
func writeScalar(b *bytes.Buffer, n *yaml.Node) {
	switch n.Tag {
	case "!!bool", "!!int", "!!null":
		var v any
		if n.Decode(&v) == nil {
			if j, err := json.Marshal(v); err == nil {
				b.Write(j)
				return
			}
		}
	}
	writeString(b, n.Value)
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	b.Truncate(b.Len() - 1)
}
