package policy

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Kind is a kind of policy; each has rules of its own.
type Kind uint8

// The kinds of policy that [Document.Validate] knows. Resource is any other service's resource policy.
const (
	Identity Kind = iota
	Trust
	Boundary
	Session
	SCP
	RCP
	Resource
)

// String is the kind in words.
func (k Kind) String() string {
	return [...]string{
		"identity policy", "trust policy", "permissions boundary", "session policy", "service control policy",
		"resource control policy", "resource policy",
	}[k]
}

// Severity tells a refusal from an advice.
type Severity uint8

// AWS refuses a document with a SeverityError; a SeverityWarning is accepted, or is a quota that may have been raised.
const (
	SeverityError Severity = iota
	SeverityWarning
)

// String is "error" or "warning".
func (s Severity) String() string { return [...]string{"error", "warning"}[s] }

// AWS's error codes for policies.
const (
	codeMalformed = "MalformedPolicyDocument"
	codeLimit     = "LimitExceeded"
	codeAdvice    = "Advice"
)

// Finding is one fault of a document.
type Finding struct {
	Severity  Severity
	Code      string // AWS's error code, or Advice
	Message   string
	File      string
	Pos       Pos
	Statement int // index of the statement, or -1
}

// String is one line: place, severity, code, message.
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", place(f.File, f.Pos), f.Severity, f.Code, f.Message)
}

// validator collects the findings of one document.
type validator struct {
	doc  *Document
	kind Kind
	out  []Finding
}

// Validate tells everything that AWS would refuse about the document as this kind of policy, and what looks wrong, in the
// order of the text. It does not know whether the principals, roles and actions that are named exist.
func (d *Document) Validate(kind Kind) []Finding {
	v := &validator{doc: d, kind: kind, out: append([]Finding(nil), d.problems...)}
	v.version()
	v.size()
	sids := map[string]Pos{}
	for i := range d.Statements {
		v.statement(&d.Statements[i], sids)
	}
	if len(d.Statements) == 0 && len(d.problems) == 0 {
		v.refuse(d.Pos, -1, "Syntax errors in policy: the document has no statement")
	}
	sort.SliceStable(v.out, func(i, j int) bool {
		a, b := v.out[i].Pos, v.out[j].Pos
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return v.out
}

func (v *validator) refuse(pos Pos, statement int, format string, args ...any) {
	v.add(SeverityError, codeMalformed, pos, statement, fmt.Sprintf(format, args...))
}

func (v *validator) advise(pos Pos, statement int, format string, args ...any) {
	v.add(SeverityWarning, codeAdvice, pos, statement, fmt.Sprintf(format, args...))
}

func (v *validator) add(s Severity, code string, pos Pos, statement int, msg string) {
	v.out = append(v.out, Finding{Severity: s, Code: code, Message: msg, File: v.doc.File, Pos: pos, Statement: statement})
}

// version holds Version to the two that exist; Organizations wants the newer one written out.
func (v *validator) version() {
	d := v.doc
	switch {
	case d.HasVersion && d.Version != Version2012 && d.Version != Version2008:
		if d.Version != "" || len(d.problems) == 0 {
			v.refuse(d.versionPos, -1, "The policy must contain a valid version string: %q is neither %s nor %s", d.Version, Version2012, Version2008)
		}
	case (v.kind == SCP || v.kind == RCP) && d.Version != Version2012:
		v.refuse(d.Pos, -1, "a %s must have the Version %q", v.kind, Version2012)
	case d.Version != Version2012:
		v.oldVersion()
	}
}

// oldVersion warns where a document of 2008 holds what only the version of 2012 understands.
func (v *validator) oldVersion() {
	for i := range v.doc.Statements {
		s := &v.doc.Statements[i]
		for _, text := range s.texts() {
			if strings.Contains(text.Text, "${") {
				v.advise(text.Pos, s.Index, "policy variables such as %.80q are plain text without \"Version\": %q", text.Text, Version2012)
				return
			}
		}
	}
}

// texts lists the values in which policy variables may stand.
func (s *Statement) texts() []Value {
	var out []Value
	for _, list := range []*Values{s.Resource, s.NotResource} {
		if list != nil {
			out = append(out, list.List...)
		}
	}
	for i := range s.Conditions {
		out = append(out, s.Conditions[i].Values...)
	}
	return out
}

// quotas are the sizes that IAM, STS and Organizations accept by default, in characters without white space. For identity
// policies it is the largest of them (inline, all of one role). Source: the quotas pages of IAM and Organizations.
var quotas = map[Kind]int{Identity: 10240, Trust: 2048, Boundary: 6144, Session: 2048, SCP: 5120, RCP: 5120}

// size is a warning: most quotas can be raised, and text may shrink when it is minified.
func (v *validator) size() {
	if quota := quotas[v.kind]; quota > 0 && v.doc.Size > quota {
		v.add(SeverityWarning, codeLimit, v.doc.Pos, -1,
			fmt.Sprintf("Cannot exceed quota for PolicySize: the %s has %d characters, the default quota is %d", v.kind, v.doc.Size, quota))
	}
}

func (v *validator) statement(s *Statement, sids map[string]Pos) {
	v.sid(s, sids)
	v.effect(s)
	v.both(s, "Action", s.Action, "NotAction", s.NotAction)
	v.both(s, "Resource", s.Resource, "NotResource", s.NotResource)
	v.actions(s)
	v.resources(s)
	v.principal(s)
	for i := range s.Conditions {
		v.condition(s, &s.Conditions[i])
	}
	if v.kind == RCP {
		v.rcp(s)
	}
}

// sid: IAM takes letters and digits only; a Sid may stand once in a document.
func (v *validator) sid(s *Statement, sids map[string]Pos) {
	if s.Sid == "" {
		return
	}
	if v.kind != SCP && v.kind != RCP && v.kind != Resource && strings.Trim(s.Sid, alphanumeric) != "" {
		v.refuse(s.sidPos, s.Index, "Statement IDs (SID) must be alpha-numeric: %.80q does not satisfy [0-9A-Za-z]*", s.Sid)
	}
	if first, twice := sids[s.Sid]; twice {
		v.refuse(s.sidPos, s.Index, "Statement IDs (SID) in a single policy must be unique: %.80q is also at line %d", s.Sid, first.Line)
		return
	}
	sids[s.Sid] = s.sidPos
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (v *validator) effect(s *Statement) {
	switch {
	case !s.hasEffect:
		v.refuse(s.Pos, s.Index, "Missing required field Effect")
	case s.Effect != Allow && s.Effect != Deny:
		v.refuse(s.effectPos, s.Index, "Invalid effect: %.80q (it is Allow or Deny, and case matters)", s.Effect)
	}
}

func (v *validator) both(s *Statement, plain string, a *Values, inverted string, b *Values) {
	if a != nil && b != nil {
		v.refuse(b.Pos, s.Index, "Syntax errors in policy: a statement has either %s or %s", plain, inverted)
	}
}

func (v *validator) actions(s *Statement) {
	list := s.Action
	if list == nil {
		list = s.NotAction
	}
	if list == nil || len(list.List) == 0 {
		v.refuse(s.Pos, s.Index, "Policy statement must contain actions.")
		return
	}
	for _, a := range list.List {
		v.action(s, a)
	}
}

func (v *validator) action(s *Statement, a Value) {
	service, name, ok := strings.Cut(a.Text, ":")
	switch {
	case a.Text == "*":
		if v.kind == Trust {
			v.advise(a.Pos, s.Index, "AssumeRole policy may only specify STS AssumeRole actions: \"*\" is more than that")
		}
	case !ok:
		v.refuse(a.Pos, s.Index, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: %.80q", a.Text)
	case service != "*" && (service == "" || strings.Trim(service, alphanumeric+"-") != ""):
		v.refuse(a.Pos, s.Index, "Vendor %.80q is not valid in the action %.120q", service, a.Text)
	case name == "" || strings.Trim(name, alphanumeric+"*?") != "":
		v.refuse(a.Pos, s.Index, "The action %.120q is not valid: after the vendor come letters, digits, * and ?", a.Text)
	case v.kind == Trust && s.Action != nil && !slices.ContainsFunc(RoleActions(), (&Values{List: []Value{a}}).hasAction):
		v.refuse(a.Pos, s.Index, "AssumeRole policy may only specify STS AssumeRole actions: %.80q", a.Text)
	}
}

func (v *validator) resources(s *Statement) {
	list, name := s.Resource, "Resource"
	if list == nil {
		list, name = s.NotResource, "NotResource"
	}
	switch {
	case v.kind == Trust && list != nil:
		v.refuse(list.Pos, s.Index, "Has prohibited field %s", name)
		return
	case v.kind == Trust:
		return
	case v.kind == Resource && list == nil:
		return // some services leave it out
	case list == nil || len(list.List) == 0:
		v.refuse(s.Pos, s.Index, "Policy statement must contain resources.")
		return
	}
	for _, r := range list.List {
		v.resource(s, r)
	}
}

func (v *validator) resource(s *Statement, r Value) {
	parts := strings.SplitN(r.Text, ":", 6)
	switch {
	case strings.Trim(r.Text, "*") == "" && r.Text != "":
		return
	case parts[0] != "arn" || len(parts) < 2 || parts[1] == "":
		v.refuse(r.Pos, s.Index, "Resource %.200q must be in ARN format or \"*\".", r.Text)
	case !isPartition(parts[1]):
		v.refuse(r.Pos, s.Index, "Partition %.80q is not valid for resource %.200q.", parts[1], r.Text)
	case len(parts) < 3 || strings.ContainsAny(parts[2], "*?"):
		v.refuse(r.Pos, s.Index, "Resource vendor must be fully qualified and cannot contain regexes: %.200q", r.Text)
	case len(parts) < 6 && !strings.HasSuffix(r.Text, "*"):
		v.refuse(r.Pos, s.Index, "Resource %.200q must be in ARN format or \"*\": an ARN has six parts.", r.Text)
	case parts[2] == "iam" && len(parts) > 4 && strings.Trim(parts[3], "*") != "":
		v.refuse(r.Pos, s.Index, "IAM resource %.200q cannot contain region information.", r.Text)
	case strings.IndexFunc(r.Text, func(c rune) bool { return c < ' ' || c == 0x7f }) >= 0:
		v.refuse(r.Pos, s.Index, "Resource %.200q must be in ARN format or \"*\": it holds a control character.", r.Text)
	}
}

// isPartition accepts the partitions that there are (aws, aws-cn, aws-us-gov, aws-iso…, aws-eusc) and what a wildcard may
// stand for.
func isPartition(s string) bool {
	return s == "aws" || strings.HasPrefix(s, "aws-") || strings.ContainsAny(s, "*?")
}

func (v *validator) principal(s *Statement) {
	switch v.kind {
	case Trust:
		v.trustPrincipal(s)
	case Resource:
	case RCP:
		if s.NotPrincipal != nil {
			v.refuse(s.NotPrincipal.Pos, s.Index, "Policy document should not specify a NotPrincipal.")
		}
		if s.Principal == nil || !s.Principal.everyone() {
			v.refuse(s.Pos, s.Index, "a %s must have \"Principal\": \"*\"", v.kind)
		}
	default:
		for _, p := range []*Principals{s.Principal, s.NotPrincipal} {
			if p != nil {
				v.refuse(p.Pos, s.Index, "Policy document should not specify a principal.")
			}
		}
	}
}

// everyone is "*" or {"AWS":"*"} and nothing beside it.
func (p *Principals) everyone() bool {
	return p.Star || len(p.Entries) == 1 && p.Entries[0].Type == "AWS" && p.Entries[0].Text == "*"
}

func (v *validator) trustPrincipal(s *Statement) {
	if s.NotPrincipal != nil {
		v.refuse(s.NotPrincipal.Pos, s.Index, "Has prohibited field NotPrincipal")
		return
	}
	switch p := s.Principal; {
	case p == nil:
		v.refuse(s.Pos, s.Index, "Missing required field Principal")
	case p.Star:
		v.refuse(p.Pos, s.Index, "Invalid principal in policy: \"*\" (in a trust policy it is {\"AWS\": \"*\"})")
	case len(p.Entries) == 0:
		if len(v.doc.problems) == 0 {
			v.refuse(p.Pos, s.Index, "Missing required field Principal cannot be empty!")
		}
	default:
		for i := range p.Entries {
			v.trustEntry(s, &p.Entries[i])
		}
	}
}

func (v *validator) trustEntry(s *Statement, p *Principal) {
	bad := ""
	switch p.Type {
	case "AWS":
		bad = badAWSPrincipal(p.Text)
		if isUniqueID(p.Text) {
			v.advise(p.Pos, s.Index, "the principal %q is a unique id: the user or role it was written for no longer exists", p.Text)
		}
	case "Service":
		if !isServiceName(p.Text) {
			bad = "a service is named like ssm.amazonaws.com"
		}
	case "Federated":
		bad = badProvider(p.Text)
	case "CanonicalUser":
		v.advise(p.Pos, s.Index, "a CanonicalUser can't assume roles")
	default:
		bad = "the types of principals are AWS, Service, Federated and CanonicalUser"
	}
	if bad != "" {
		v.refuse(p.Pos, s.Index, "Invalid principal in policy: %.60q:%.200q (%s)", p.Type, p.Text, bad)
	}
}

// badAWSPrincipal says why a text can't be an AWS principal of a trust policy, or "".
func badAWSPrincipal(text string) string {
	if text == "*" || IsAccountID(text) || isUniqueID(text) {
		return ""
	}
	a, ok := ParseARN(text)
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case !ok:
		return "it is neither an ARN, nor twelve digits, nor \"*\""
	case strings.ContainsAny(text, "*?"):
		return "no wildcard inside a principal's ARN: name the account and add a condition on aws:PrincipalArn"
	case strings.Contains(text, "${"):
		return "policy variables are not replaced in a principal"
	case !isPartition(a.Partition):
		return "there is no such partition"
	case !IsAccountID(a.Account):
		return "an account has twelve digits"
	case a.Region != "" || !cleanName(text):
		return "not the ARN of a principal"
	case a.Service == "iam" && a.Resource == "root":
		return ""
	case a.Service == "iam" && kind == "group":
		return "a group is no principal"
	case name == "" || strings.HasSuffix(name, "/"):
		return "not the ARN of a principal"
	default:
		return badPrincipalName(a.Service+":"+kind, name)
	}
}

// badPrincipalName judges what stands behind the kind of a principal.
func badPrincipalName(kind, name string) string {
	switch kind {
	case "iam:user", "iam:role", "sts:federated-user":
		return ""
	case "sts:assumed-role":
		if role, session, _ := strings.Cut(name, "/"); role == "" || session == "" || strings.Contains(session, "/") {
			return "a session is assumed-role/ROLE/SESSION, without a path"
		}
		return ""
	default:
		return "only account root, users, roles and sessions are AWS principals"
	}
}

func badProvider(text string) string {
	a, ok := ParseARN(text)
	if !ok {
		if isHostName(text) {
			return ""
		}
		return "an identity provider is named by its ARN or host"
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	if a.Service != "iam" || kind != "oidc-provider" && kind != "saml-provider" || name == "" || strings.ContainsAny(text, "*?") || !IsAccountID(a.Account) {
		return "not the ARN of an OIDC or SAML provider"
	}
	return ""
}

// rcpServices are the services whose actions RCPs can deny. Source: the Organizations user guide; the list grows.
var rcpServices = map[string]bool{
	"s3": true, "sts": true, "kms": true, "sqs": true, "secretsmanager": true, "ecr": true, "aoss": true, "cognito-idp": true,
	"cognito-identity": true, "dynamodb": true, "logs": true, "s3express": true, "s3tables": true, "s3vectors": true,
}

func (v *validator) rcp(s *Statement) {
	if s.isFullAccess() {
		return
	}
	if s.Effect == Allow {
		v.refuse(s.effectPos, s.Index, "Effect must be Deny in a %s: only RCPFullAWSAccess allows", v.kind)
	}
	if s.NotAction != nil {
		v.refuse(s.NotAction.Pos, s.Index, "NotAction is not supported in a %s", v.kind)
	}
	if s.Action == nil {
		return
	}
	for _, a := range s.Action.List {
		service, _, ok := strings.Cut(a.Text, ":")
		switch {
		case a.Text == "*":
			v.refuse(a.Pos, s.Index, "Action can't be \"*\" alone in a %s: name a service, such as \"sts:*\"", v.kind)
		case ok && !rcpServices[strings.ToLower(service)]:
			v.advise(a.Pos, s.Index, "%.80q is not known to be a service that RCPs support", service)
		}
	}
}

// isFullAccess recognises the statement of AWS's own RCPFullAWSAccess.
func (s *Statement) isFullAccess() bool {
	star := func(v *Values) bool { return v != nil && len(v.List) == 1 && v.List[0].Text == "*" }
	return s.Effect == Allow && s.Principal != nil && s.Principal.everyone() && star(s.Action) && star(s.Resource) && len(s.Conditions) == 0
}
