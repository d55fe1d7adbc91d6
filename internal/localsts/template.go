package localsts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// template is a CloudFormation template being evaluated.
type template struct {
	opts       FileOptions
	params     map[string]*yaml.Node
	conditions *yaml.Node
	mappings   *yaml.Node
	resources  map[string]*yaml.Node
	order      []string
	busy       map[string]bool // names and conditions under evaluation, against cycles
	memo       map[string]*yaml.Node
	out        *AccountFile
}

// ErrMissingParameter is returned for a template with a parameter that has neither a value nor a default.
var ErrMissingParameter = errors.New("no value for parameter")

// readTemplate turns the IAM and Organizations resources of a template into an account. What it does not know is named in Notes.
func readTemplate(root *yaml.Node, o FileOptions) (*AccountFile, error) {
	if !isAccountID(o.ID) {
		return nil, fmt.Errorf("read template: %w", ErrNoAccountID)
	}
	o.Partition, o.Region, o.Stack = or(o.Partition, "aws"), or(o.Region, "us-east-1"), or(o.Stack, "rehearsal")
	t := &template{
		opts: o, params: map[string]*yaml.Node{}, resources: map[string]*yaml.Node{}, busy: map[string]bool{}, memo: map[string]*yaml.Node{},
		conditions: member(root, "Conditions"), mappings: member(root, "Mappings"),
		out: &AccountFile{Account: o.Base},
	}
	if o.Base == nil {
		t.out.Account = &Account{ID: o.ID, Partition: o.Partition}
	}
	if err := t.readParameters(member(root, "Parameters")); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	for id, res := range pairs(member(root, "Resources")) {
		t.resources[id] = res
		t.order = append(t.order, id)
	}
	t.build()
	if err := t.out.Account.complete(); err != nil {
		return nil, err
	}
	return t.out, nil
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// pairs walks a mapping in its order.
func pairs(n *yaml.Node) func(func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

func (t *template) readParameters(n *yaml.Node) error {
	var missing []string
	for name, p := range pairs(n) {
		t.out.Parameters = append(t.out.Parameters, name)
		text, given := t.opts.Parameters[name]
		if d := member(p, "Default"); !given && d != nil {
			text, given = d.Value, true
		}
		if !given {
			missing = append(missing, name)
			continue
		}
		if !allowedValue(p, text) {
			return fmt.Errorf("parameter %s: %q is none of its AllowedValues", name, text)
		}
		t.params[name] = str(text)
		if kind := scalar(member(p, "Type")); kind == "CommaDelimitedList" || strings.HasPrefix(kind, "List<") {
			t.params[name] = seq()
			for v := range strings.SplitSeq(text, ",") {
				t.params[name].Content = append(t.params[name].Content, str(strings.TrimSpace(v)))
			}
		}
	}
	if missing != nil {
		return fmt.Errorf("%w %s", ErrMissingParameter, strings.Join(missing, ", "))
	}
	return nil
}

func allowedValue(p *yaml.Node, v string) bool {
	list := member(p, "AllowedValues")
	return list == nil || slices.ContainsFunc(list.Content, func(n *yaml.Node) bool { return n.Value == v })
}

func str(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func seq(list ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: list}
}

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// noValue is what AWS::NoValue stands for: the property or member goes away.
var noValue = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!novalue"}

// resolve replaces every intrinsic function in a node.
func (t *template) resolve(n *yaml.Node) (*yaml.Node, error) {
	if name, arg := intrinsic(n); name != "" {
		f, ok := intrinsics[name]
		if !ok {
			return nil, fmt.Errorf("%s is not supported", name)
		}
		return f(t, arg)
	}
	if n.Kind == yaml.ScalarNode {
		return n, nil
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := t.resolve(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			if v != noValue {
				out.Content = append(out.Content, n.Content[i], v)
			}
		}
		return out, nil
	}
	for _, k := range n.Content {
		v, err := t.resolve(k)
		if err != nil {
			return nil, err
		}
		if v != noValue {
			out.Content = append(out.Content, v)
		}
	}
	return out, nil
}

// intrinsic recognises {"Fn::Join": …}, {"Ref": …} and YAML's !Join, !Ref.
func intrinsic(n *yaml.Node) (string, *yaml.Node) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") && n != noValue {
		arg := *n
		arg.Tag = ""
		name := n.Tag[1:]
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		if name == "Fn::GetAtt" && n.Kind == yaml.ScalarNode {
			id, attr, _ := strings.Cut(n.Value, ".")
			return name, seq(str(id), str(attr))
		}
		return name, &arg
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		if k := n.Content[0].Value; k == "Ref" || strings.HasPrefix(k, "Fn::") {
			return k, n.Content[1]
		}
	}
	return "", nil
}

var intrinsics map[string]func(*template, *yaml.Node) (*yaml.Node, error)

func init() { // the functions call each other through this table
	intrinsics = map[string]func(*template, *yaml.Node) (*yaml.Node, error){
		"Ref":           func(t *template, n *yaml.Node) (*yaml.Node, error) { return t.ref(n.Value) },
		"Fn::GetAtt":    (*template).fnGetAtt,
		"Fn::Sub":       (*template).fnSub,
		"Fn::Join":      (*template).fnJoin,
		"Fn::Select":    (*template).fnSelect,
		"Fn::Split":     (*template).fnSplit,
		"Fn::If":        (*template).fnIf,
		"Fn::FindInMap": (*template).fnFindInMap,
	}
}

// args resolves a list of n arguments.
func (t *template) args(n *yaml.Node, count int) ([]*yaml.Node, error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) < count {
		return nil, fmt.Errorf("an intrinsic function needs a list of %d", count)
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, k := range n.Content {
		v, err := t.resolve(k)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (t *template) fnGetAtt(n *yaml.Node) (*yaml.Node, error) {
	if id, attr, ok := strings.Cut(scalar(n), "."); ok {
		return t.attribute(id, attr)
	}
	a, err := t.args(n, 2)
	if err != nil {
		return nil, err
	}
	return t.attribute(a[0].Value, a[1].Value)
}

func (t *template) fnJoin(n *yaml.Node) (*yaml.Node, error) {
	a, err := t.args(n, 2)
	if err != nil {
		return nil, err
	}
	var parts []string
	total := 0
	for _, k := range a[1].Content {
		parts = append(parts, k.Value)
		if total += len(k.Value) + len(a[0].Value); total > maxTemplateText {
			return nil, errors.New("Fn::Join: the text is too long")
		}
	}
	return str(strings.Join(parts, a[0].Value)), nil
}

func (t *template) fnSplit(n *yaml.Node) (*yaml.Node, error) {
	a, err := t.args(n, 2)
	if err != nil {
		return nil, err
	}
	out := seq()
	for v := range strings.SplitSeq(a[1].Value, a[0].Value) {
		out.Content = append(out.Content, str(v))
	}
	return out, nil
}

func (t *template) fnSelect(n *yaml.Node) (*yaml.Node, error) {
	a, err := t.args(n, 2)
	if err != nil {
		return nil, err
	}
	var i int
	if a[0].Decode(&i) != nil || i < 0 || i >= len(a[1].Content) {
		return nil, fmt.Errorf("Fn::Select: no element %q", a[0].Value)
	}
	return a[1].Content[i], nil
}

func (t *template) fnIf(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) != 3 {
		return nil, errors.New("Fn::If needs a condition and two values")
	}
	yes, err := t.condition(n.Content[0].Value)
	if err != nil {
		return nil, err
	}
	if yes {
		return t.resolve(n.Content[1])
	}
	return t.resolve(n.Content[2])
}

func (t *template) fnFindInMap(n *yaml.Node) (*yaml.Node, error) {
	a, err := t.args(n, 3)
	if err != nil {
		return nil, err
	}
	if v := member(member(member(t.mappings, a[0].Value), a[1].Value), a[2].Value); v != nil {
		return v, nil
	}
	return nil, fmt.Errorf("Fn::FindInMap: no %s.%s.%s", a[0].Value, a[1].Value, a[2].Value)
}

// fnSub replaces ${Name}, ${Name.Attribute} and, with a second argument, its own names; ${!x} is a literal ${x}.
func (t *template) fnSub(n *yaml.Node) (*yaml.Node, error) {
	text, own := n, (*yaml.Node)(nil)
	if n.Kind == yaml.SequenceNode {
		if len(n.Content) != 2 {
			return nil, errors.New("Fn::Sub needs a string, or a string and a map")
		}
		text, own = n.Content[0], n.Content[1]
	}
	var b strings.Builder
	rest := text.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			return str(b.String()), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("Fn::Sub: ${ without }")
		}
		v, err := t.subValue(strings.TrimSpace(name), own)
		if err != nil {
			return nil, err
		}
		if b.WriteString(v); b.Len() > maxTemplateText {
			return nil, errors.New("Fn::Sub: the text is too long")
		}
		rest = tail
	}
}

func (t *template) subValue(name string, own *yaml.Node) (string, error) {
	if literal, ok := strings.CutPrefix(name, "!"); ok {
		return "${" + literal + "}", nil
	}
	if v := member(own, name); v != nil {
		r, err := t.resolve(v)
		if err != nil {
			return "", err
		}
		return r.Value, nil
	}
	if id, attr, ok := strings.Cut(name, "."); ok {
		v, err := t.attribute(id, attr)
		if err != nil {
			return "", err
		}
		return v.Value, nil
	}
	v, err := t.ref(name)
	if err != nil {
		return "", err
	}
	if v.Kind == yaml.SequenceNode {
		return "", fmt.Errorf("Fn::Sub: %s is a list", name)
	}
	return v.Value, nil
}

// condition evaluates a named condition.
func (t *template) condition(name string) (bool, error) {
	n := member(t.conditions, name)
	if n == nil {
		return false, fmt.Errorf("no condition %q", name)
	}
	v, err := t.once("condition "+name, func() (*yaml.Node, error) {
		yes, err := t.truth(n)
		return str(strconv.FormatBool(yes)), err
	})
	return err == nil && v.Value == "true", err
}

func (t *template) truth(n *yaml.Node) (bool, error) {
	name, arg := intrinsic(n)
	if c := member(n, "Condition"); name == "" && c != nil {
		return t.condition(c.Value)
	}
	switch name {
	case "Condition":
		return t.condition(arg.Value)
	case "Fn::Equals":
		a, err := t.args(arg, 2)
		if err != nil {
			return false, err
		}
		return a[0].Value == a[1].Value, nil
	case "Fn::Not", "Fn::And", "Fn::Or":
		return t.combine(name, arg)
	}
	return false, fmt.Errorf("%s is not supported in a condition", or(name, "this"))
}

func (t *template) combine(name string, arg *yaml.Node) (bool, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) == 0 {
		return false, fmt.Errorf("%s needs a list", name)
	}
	all, any := true, false
	for _, k := range arg.Content {
		v, err := t.truth(k)
		if err != nil {
			return false, err
		}
		all, any = all && v, any || v
	}
	switch name {
	case "Fn::Not":
		return !any, nil
	case "Fn::And":
		return all, nil
	}
	return any, nil
}
