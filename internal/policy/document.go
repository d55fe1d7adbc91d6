package policy

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
)

// The policy language versions. Policy variables work only in Version2012; a document without Version is Version2008.
const (
	Version2012 = "2012-10-17"
	Version2008 = "2008-10-17"
)

// The two effects of a statement, case-sensitive.
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// Document is one policy as it was read or built. Reading keeps everything that evaluation and messages need; what does
// not belong into a policy is kept as problems for [Document.Validate].
type Document struct {
	File       string // where it was read from; may be empty
	Pos        Pos
	Version    string // "" when absent
	HasVersion bool
	ID         string
	Statements []Statement
	// Size counts the characters that IAM's quotas count: white space outside of strings is free.
	Size int

	versionPos   Pos
	hasStatement bool
	problems     []Finding
}

// Statement is one statement with the place of each of its elements. A nil element was not there.
type Statement struct {
	Index        int // from 0, in the document's order
	Pos          Pos
	Sid          string
	Effect       string
	Principal    *Principals
	NotPrincipal *Principals
	Action       *Values
	NotAction    *Values
	Resource     *Values
	NotResource  *Values
	Conditions   []Condition // in the document's order; AND

	hasEffect bool
	effectPos Pos
	sidPos    Pos
}

// Name is what messages call the statement: its Sid, or its number from 1.
func (s *Statement) Name() string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("#%d", s.Index+1)
}

// Values is an element that holds one text or a list of texts.
type Values struct {
	Pos  Pos
	List []Value
}

// Value is one text with its place. In a condition it may have been written as a JSON number or boolean.
type Value struct {
	Text string
	Pos  Pos
}

// Condition is one key under one operator.
type Condition struct {
	Operator string
	Key      string
	Values   []Value
	Pos      Pos // of the key
	OpPos    Pos
}

// Principals is a Principal or NotPrincipal element.
type Principals struct {
	Pos     Pos
	Star    bool // the bare "*"
	Entries []Principal
}

// Principal is one entry of a Principal element: its type (AWS, Service, Federated, CanonicalUser) and value.
type Principal struct {
	Type string
	Value
	TypePos Pos
}

// Parse reads a policy document. The error is a [*SyntaxError] when the text is not JSON or not an object, or is larger or
// deeper than any policy could be; everything else that is wrong is told by [Document.Validate]. file is only named.
func Parse(data []byte, file string) (*Document, error) {
	n, err := parseJSON(data, file)
	if err != nil {
		return nil, err
	}
	if n.kind != nodeObject {
		return nil, &SyntaxError{File: file, Pos: n.pos, Msg: "a policy document is an object, not " + n.kind.String()}
	}
	return documentFrom(n, data, file), nil
}

// documentFrom builds the model from a node that is known to be an object; data is the text the node was read from.
func documentFrom(n *node, data []byte, file string) *Document {
	d := &Document{File: file, Pos: n.pos}
	if text := bytes.TrimPrefix(data, []byte(byteOrderMark)); n.start <= n.end && n.end <= len(text) {
		d.Size = countedSize(string(text[n.start:n.end]))
	}
	d.duplicates(n, "the document")
	for i := range n.members {
		m := &n.members[i]
		switch m.key {
		case "Version":
			d.HasVersion, d.versionPos = true, m.val.pos
			d.Version = d.text(&m.val, "Version")
		case "Id":
			d.ID = d.text(&m.val, "Id")
		case "Statement":
			d.hasStatement = true
			d.statements(&m.val)
		default:
			d.problem(m.pos, -1, "Syntax errors in policy: unknown element %q in the document", m.key)
		}
	}
	return d
}

// countedSize counts characters, white space outside of strings left out.
func countedSize(text string) int {
	n, quoted, escaped := 0, false, false
	for _, c := range text {
		switch {
		case !quoted && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		}
		n++
	}
	return n
}

func (d *Document) problem(pos Pos, statement int, format string, args ...any) {
	d.problems = append(d.problems, Finding{Code: codeMalformed, Message: fmt.Sprintf(format, args...), File: d.File, Pos: pos, Statement: statement})
}

// duplicates notes every name that an object has twice: IAM refuses it, and readers disagree on which one counts.
func (d *Document) duplicates(n *node, what string) {
	if len(n.members) < 2 {
		return
	}
	seen := make(map[string]Pos, len(n.members))
	for _, m := range n.members {
		if first, twice := seen[m.key]; twice {
			d.problem(m.pos, -1, "Syntax errors in policy: %q stands twice in %s (first at line %d)", m.key, what, first.Line)
		}
		seen[m.key] = m.pos
	}
}

func (d *Document) text(n *node, name string) string {
	if n.kind != nodeString {
		d.problem(n.pos, -1, "Syntax errors in policy: %s must be a string, not %s", name, n.kind)
		return ""
	}
	return n.text
}

func (d *Document) statements(n *node) {
	switch n.kind {
	case nodeObject:
		d.Statements = []Statement{d.statement(n, 0)}
	case nodeList:
		d.Statements = make([]Statement, 0, len(n.items))
		for i := range n.items {
			if n.items[i].kind != nodeObject {
				d.problem(n.items[i].pos, i, "Syntax errors in policy: a statement must be an object, not %s", n.items[i].kind)
				continue
			}
			d.Statements = append(d.Statements, d.statement(&n.items[i], i))
		}
	default:
		d.problem(n.pos, -1, "Syntax errors in policy: Statement must be an object or a list of objects, not %s", n.kind)
	}
}

func (d *Document) statement(n *node, index int) Statement {
	s := Statement{Index: index, Pos: n.pos}
	d.duplicates(n, "the statement")
	for i := range n.members {
		v := &n.members[i].val
		switch key := n.members[i].key; key {
		case "Sid":
			s.Sid, s.sidPos = d.text(v, "Sid"), v.pos
		case "Effect":
			s.Effect, s.hasEffect, s.effectPos = d.text(v, "Effect"), true, v.pos
		case "Principal":
			s.Principal = d.principals(v, key, index)
		case "NotPrincipal":
			s.NotPrincipal = d.principals(v, key, index)
		case "Action":
			s.Action = d.values(v, key, index)
		case "NotAction":
			s.NotAction = d.values(v, key, index)
		case "Resource":
			s.Resource = d.values(v, key, index)
		case "NotResource":
			s.NotResource = d.values(v, key, index)
		case "Condition":
			s.Conditions = d.conditions(v, index)
		default:
			d.problem(n.members[i].pos, index, "Syntax errors in policy: unknown element %q in a statement", key)
		}
	}
	return s
}

func (d *Document) values(n *node, name string, index int) *Values {
	v := &Values{Pos: n.pos}
	list := n.items
	if n.kind != nodeList {
		list = []node{*n}
	}
	for i := range list {
		if list[i].kind != nodeString {
			d.problem(list[i].pos, index, "Syntax errors in policy: %s must be a string or a list of strings, not %s", name, list[i].kind)
			continue
		}
		v.List = append(v.List, Value{list[i].text, list[i].pos})
	}
	return v
}

func (d *Document) principals(n *node, name string, index int) *Principals {
	p := &Principals{Pos: n.pos}
	switch {
	case n.kind == nodeString && n.text == "*":
		p.Star = true
	case n.kind == nodeObject:
		d.duplicates(n, "the "+name)
		for i := range n.members {
			m := &n.members[i]
			for _, v := range d.values(&m.val, name+"."+clip(m.key), index).List {
				p.Entries = append(p.Entries, Principal{Type: m.key, Value: v, TypePos: m.pos})
			}
		}
	case n.kind == nodeString:
		d.problem(n.pos, index, "Invalid principal in policy: %q (only \"*\" may stand without a type such as AWS, Service or Federated)", n.text)
	default:
		d.problem(n.pos, index, "Syntax errors in policy: %s must be \"*\" or an object, not %s", name, n.kind)
	}
	return p
}

func (d *Document) conditions(n *node, index int) []Condition {
	if n.kind != nodeObject {
		d.problem(n.pos, index, "Syntax errors in policy: Condition must be an object, not %s", n.kind)
		return nil
	}
	d.duplicates(n, "the Condition")
	var out []Condition
	for i := range n.members {
		op := &n.members[i]
		if op.val.kind != nodeObject {
			d.problem(op.val.pos, index, "Syntax errors in policy: the operator %q needs an object of keys and values, not %s", op.key, op.val.kind)
			continue
		}
		d.duplicates(&op.val, "the operator "+clip(op.key))
		for j := range op.val.members {
			key := &op.val.members[j]
			out = append(out, Condition{Operator: op.key, OpPos: op.pos, Key: key.key, Pos: key.pos, Values: d.conditionValues(&key.val, index)})
		}
	}
	return out
}

func (d *Document) conditionValues(n *node, index int) []Value {
	list := n.items
	if n.kind != nodeList {
		list = []node{*n}
	}
	out := make([]Value, 0, len(list))
	for i := range list {
		if !list[i].scalar() {
			d.problem(list[i].pos, index, "Syntax errors in policy: a condition value must be a string, number or boolean, not %s", list[i].kind)
			continue
		}
		out = append(out, Value{list[i].text, list[i].pos})
	}
	return out
}

// clip keeps a hostile name short and quoted when it goes into a message's fixed part.
func clip(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strings.Trim(fmt.Sprintf("%q", s), `"`)
}

// variables tells whether policy variables are replaced in this document.
func (d *Document) variables() bool { return d.Version == Version2012 }

// sortedKeys gives a map's keys in order, for deterministic output.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
