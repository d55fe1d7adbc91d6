package policy

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// RoleTemplate is the role's side of a set-up, for a template in the role's account.
type RoleTemplate struct {
	RoleARN            string
	Description        string
	Trust              *Document
	GrantName          string    // of the inline policy; "Grant" when empty
	Grant              *Document // what the role may do; nil for nothing
	MaxSessionDuration int       // seconds; 0 leaves AWS's default
}

// CallerTemplate is the caller's side, for a template in the callers' account.
type CallerTemplate struct {
	PolicyName string
	Policy     *Document
	Callers    []string // ARNs of the users and roles to attach it to; others (sessions, accounts) are left out
}

// CloudFormation renders the role as a YAML template.
func (r RoleTemplate) CloudFormation() (string, error) {
	a, path, err := r.parts()
	if err != nil {
		return "", err
	}
	name := lastSegment(a.Resource)
	props := object{{"RoleName", name}, {"Path", path}}
	props.addText("Description", r.Description)
	if r.MaxSessionDuration > 0 {
		props = append(props, field{"MaxSessionDuration", r.MaxSessionDuration})
	}
	props = append(props, field{"AssumeRolePolicyDocument", r.Trust})
	if r.Grant != nil {
		props = append(props, field{"Policies", []any{object{{"PolicyName", r.grantName()}, {"PolicyDocument", r.Grant}}}})
	}
	id := logicalID(name, "Role")
	return cloudFormation("Role "+name+" in account "+a.Account, id, "AWS::IAM::Role", props,
		object{{"RoleArn", object{{"Value", object{{"Fn::GetAtt", []any{id, "Arn"}}}}}}})
}

func (r RoleTemplate) grantName() string {
	if r.GrantName == "" {
		return "Grant"
	}
	return r.GrantName
}

// parts splits the role's ARN, and its path as IAM writes it: /…/.
func (r RoleTemplate) parts() (ARN, string, error) {
	a, ok := ParseRoleARN(r.RoleARN)
	if !ok {
		return a, "", invalid("role_arn", "%q is not the ARN of a role", r.RoleARN)
	}
	if r.Trust == nil {
		return a, "", invalid("trust policy", "is missing")
	}
	path := strings.TrimPrefix(a.Resource, "role")
	return a, path[:strings.LastIndexByte(path, '/')+1], nil
}

// CloudFormation renders the caller's policy as a YAML template.
func (c CallerTemplate) CloudFormation() (string, error) {
	if c.Policy == nil || c.PolicyName == "" {
		return "", invalid("permission policy", "is missing")
	}
	users, roles := c.attach()
	props := object{{"ManagedPolicyName", c.PolicyName}, {"PolicyDocument", c.Policy}}
	props.addList("Users", users)
	props.addList("Roles", roles)
	return cloudFormation("Policy "+c.PolicyName+" for the callers", logicalID(c.PolicyName, "Policy"), "AWS::IAM::ManagedPolicy", props, nil)
}

// attach sorts the callers into the names of users and roles.
func (c CallerTemplate) attach() (users, roles []string) {
	for _, caller := range c.Callers {
		a, ok := ParseARN(caller)
		kind, rest, _ := strings.Cut(a.Resource, "/")
		switch {
		case !ok || a.Service != "iam":
		case kind == "user":
			users = append(users, lastSegment(rest))
		case kind == "role":
			roles = append(roles, lastSegment(rest))
		}
	}
	return users, roles
}

func cloudFormation(description, id, kind string, props, outputs object) (string, error) {
	template := object{
		{"AWSTemplateFormatVersion", "2010-09-09"},
		{"Description", description},
		{"Resources", object{{id, object{{"Type", kind}, {"Properties", props}}}}},
	}
	if outputs != nil {
		template = append(template, field{"Outputs", outputs})
	}
	w := &textWriter{}
	w.yamlObject(template, 0)
	return w.b.String(), w.err
}

// logicalID keeps letters and digits, as CloudFormation demands.
func logicalID(name, suffix string) string {
	var b strings.Builder
	for _, r := range name {
		if strings.ContainsRune(alphanumeric, r) {
			b.WriteRune(r)
		}
	}
	return b.String() + suffix
}

// object is a mapping in its order; field values are strings, ints, []any, []string, object or *Document.
type object []field

type field struct {
	name  string
	value any
}

func (o *object) addText(name, text string) {
	if text != "" {
		*o = append(*o, field{name, text})
	}
}

func (o *object) addList(name string, list []string) {
	if len(list) > 0 {
		*o = append(*o, field{name, list})
	}
}

// plain turns what a field may hold into objects, lists and scalars.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, nil
	case *Document:
		raw, err := v.MarshalJSON()
		if err != nil {
			return nil, err
		}
		n, err := parseJSON(raw, "")
		if err != nil {
			return nil, err
		}
		return plainNode(n), nil
	}
	return v, nil
}

func plainNode(n *node) any {
	switch n.kind {
	case nodeObject:
		var o object
		for i := range n.members {
			o = append(o, field{n.members[i].key, plainNode(&n.members[i].val)})
		}
		return o
	case nodeList:
		out := make([]any, len(n.items))
		for i := range n.items {
			out[i] = plainNode(&n.items[i])
		}
		return out
	default:
		return n.text
	}
}

// textWriter writes YAML and HCL; it keeps the first error.
type textWriter struct {
	b   strings.Builder
	err error
}

func (w *textWriter) plain(v any) any {
	out, err := plain(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	return out
}

// quoted is a JSON string, which is a YAML double-quoted scalar too.
func quoted(s string) string {
	w := &jsonWriter{some: []bool{false}}
	w.text(s)
	return w.buf.String()
}

func (w *textWriter) yamlObject(o object, indent int) {
	for _, f := range o {
		w.b.WriteString(strings.Repeat("  ", indent) + yamlKey(f.name) + ":")
		w.yamlValue(w.plain(f.value), indent+1)
	}
}

// yamlWords are plain words that YAML takes for something else; the condition operator Null is one of them.
const yamlWords = " null true false yes no on off y n "

// yamlKey leaves plain words unquoted; keys such as sts:ExternalId or Fn::GetAtt are quoted.
func yamlKey(s string) string {
	if s != "" && !strings.Contains(yamlWords, " "+strings.ToLower(s)+" ") && strings.Trim(s, alphanumeric) == "" && strings.Trim(s, "0123456789") != "" {
		return s
	}
	return quoted(s)
}

func (w *textWriter) yamlValue(v any, indent int) {
	switch v := v.(type) {
	case object:
		w.b.WriteByte('\n')
		w.yamlObject(v, indent)
	case []any:
		w.b.WriteByte('\n')
		for _, item := range v {
			w.yamlItem(w.plain(item), indent)
		}
	case string:
		w.b.WriteString(" " + quoted(v) + "\n")
	default:
		fmt.Fprintf(&w.b, " %v\n", v)
	}
}

func (w *textWriter) yamlItem(v any, indent int) {
	lead := strings.Repeat("  ", indent) + "-"
	o, ok := v.(object)
	if !ok {
		w.b.WriteString(lead)
		w.yamlValue(v, indent+1)
		return
	}
	inner := &textWriter{}
	inner.yamlObject(o, indent+1)
	w.b.WriteString(lead + " " + strings.TrimLeft(inner.b.String(), " "))
}

// Terraform renders the role, and its grant, as HCL in the layout of terraform fmt.
func (r RoleTemplate) Terraform() (string, error) {
	a, path, err := r.parts()
	if err != nil {
		return "", err
	}
	name := lastSegment(a.Resource)
	label := terraformLabel(name)
	body := object{{"name", name}, {"path", path}}
	body.addText("description", r.Description)
	if r.MaxSessionDuration > 0 {
		body = append(body, field{"max_session_duration", r.MaxSessionDuration})
	}
	body = append(body, field{"assume_role_policy", r.Trust})
	w := &textWriter{}
	w.hclResource("aws_iam_role", label, body)
	if r.Grant != nil {
		w.b.WriteByte('\n')
		w.hclResource("aws_iam_role_policy", label, object{
			{"name", r.grantName()}, {"role", reference("aws_iam_role." + label + ".id")}, {"policy", r.Grant},
		})
	}
	return w.b.String(), w.err
}

// Terraform renders the caller's policy and its attachments as HCL.
func (c CallerTemplate) Terraform() (string, error) {
	if c.Policy == nil || c.PolicyName == "" {
		return "", invalid("permission policy", "is missing")
	}
	label := terraformLabel(c.PolicyName)
	w := &textWriter{}
	w.hclResource("aws_iam_policy", label, object{{"name", c.PolicyName}, {"policy", c.Policy}})
	users, roles := c.attach()
	for _, kind := range []struct {
		word  string
		names []string
	}{{"user", users}, {"role", roles}} {
		sort.Strings(kind.names)
		for _, name := range kind.names {
			w.b.WriteByte('\n')
			w.hclResource("aws_iam_"+kind.word+"_policy_attachment", label+"_"+terraformLabel(name), object{
				{kind.word, name}, {"policy_arn", reference("aws_iam_policy." + label + ".arn")},
			})
		}
	}
	return w.b.String(), w.err
}

// reference is an HCL expression that is written as it stands.
type reference string

// terraformLabel makes an identifier of a name.
func terraformLabel(name string) string {
	var b strings.Builder
	for _, r := range name {
		if !strings.ContainsRune(alphanumeric+"_-", r) {
			r = '_'
		}
		b.WriteRune(r)
	}
	label := b.String()
	if label == "" || strings.IndexByte("0123456789-", label[0]) >= 0 {
		label = "_" + label
	}
	return label
}

// hclResource writes one resource block.
func (w *textWriter) hclResource(resource, label string, body object) {
	fmt.Fprintf(&w.b, "resource %s %s {\n", quoted(resource), quoted(label))
	w.hclFields(body, 1)
	w.b.WriteString("}\n")
}

// hclFields aligns the equals signs of neighbouring one-line fields, as terraform fmt does; a field of several lines ends a
// group and takes no part in it.
func (w *textWriter) hclFields(o object, indent int) {
	values := make([]string, len(o))
	for i, f := range o {
		values[i] = w.hclValue(f.value, indent)
	}
	for from := 0; from < len(o); {
		to := from
		for to < len(o) && !strings.Contains(values[to], "\n") {
			to++
		}
		if to == from {
			to++
		}
		w.hclGroup(o[from:to], values[from:to], indent)
		from = to
	}
}

func (w *textWriter) hclGroup(o object, values []string, indent int) {
	width := 0
	for _, f := range o {
		width = max(width, len([]rune(hclKey(f.name))))
	}
	for i, f := range o {
		key := hclKey(f.name)
		pad := strings.Repeat(" ", width-len([]rune(key)))
		fmt.Fprintf(&w.b, "%s%s%s = %s\n", strings.Repeat("  ", indent), key, pad, values[i])
	}
}

func hclKey(s string) string {
	if s != "" && strings.Trim(s, alphanumeric+"_") == "" && strings.IndexByte("0123456789", s[0]) < 0 {
		return s
	}
	return hclQuoted(s)
}

// hclQuoted is a string in which ${ and %{ mean nothing.
func hclQuoted(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quoted(s))
}

func (w *textWriter) hclValue(v any, indent int) string {
	if d, ok := v.(*Document); ok {
		return "jsonencode(" + w.hclValue(w.plain(d), indent) + ")"
	}
	switch v := w.plain(v).(type) {
	case object:
		inner := &textWriter{}
		inner.hclFields(v, indent+1)
		return "{\n" + inner.b.String() + strings.Repeat("  ", indent) + "}"
	case []any:
		return w.hclList(v, indent)
	case reference:
		return string(v)
	case string:
		return hclQuoted(v)
	default:
		return fmt.Sprint(v)
	}
}

func (w *textWriter) hclList(list []any, indent int) string {
	var b strings.Builder
	b.WriteString("[\n")
	for _, item := range list {
		b.WriteString(strings.Repeat("  ", indent+1) + w.hclValue(item, indent+1) + ",\n")
	}
	b.WriteString(strings.Repeat("  ", indent) + "]")
	return b.String()
}

// JSON is the document as raw JSON, for output that embeds it.
func (d *Document) JSON() json.RawMessage {
	raw, err := d.MarshalJSON()
	if err != nil {
		return nil
	}
	return raw
}
