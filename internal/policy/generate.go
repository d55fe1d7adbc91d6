package policy

import (
	"fmt"
	"io"
	"strings"
)

// TrustSpec says whom a role shall let in, and under which conditions.
type TrustSpec struct {
	Callers    []string // ARNs of users, roles and sessions, or account numbers (12 digits)
	Services   []string // such as ssm.amazonaws.com; conditions below never concern them
	ExternalID string   // "" for none
	RequireMFA bool
	OrgID      string // o-…; "" for none
	// SessionTags lets callers pass these tag keys. Nil: no tags; empty but not nil: any tags.
	SessionTags []string
	// SourceIdentity lets callers set a source identity: this one, or any when it is "*". "" means none.
	SourceIdentity string
}

// TrustPolicy writes the trust policy of a role. Without conditions callers and services share one statement; with them the
// services have a statement of their own, since they send neither external ID nor MFA. The error is an [*InvalidError].
func TrustPolicy(s TrustSpec) (*Document, error) {
	if len(s.Callers)+len(s.Services) == 0 {
		return nil, invalid("callers", "a trust policy needs at least one caller or service")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	d := newDocument()
	conditions := s.conditions()
	switch {
	case len(s.Callers) == 0 || len(conditions) == 0:
		d.add(Statement{Principal: principals(s.Callers, s.Services), Action: texts(ActionAssumeRole), Conditions: conditionsFor(s.Callers, conditions)})
	default:
		d.add(Statement{Principal: principals(s.Callers, nil), Action: texts(ActionAssumeRole), Conditions: conditions})
		if len(s.Services) > 0 {
			d.add(Statement{Principal: principals(nil, s.Services), Action: texts(ActionAssumeRole)})
		}
	}
	s.extras(d)
	return d, refusedAs(d, Trust)
}

func conditionsFor(callers []string, conditions []Condition) []Condition {
	if len(callers) == 0 {
		return nil
	}
	return conditions
}

func (s *TrustSpec) check() error {
	for _, c := range s.Callers {
		if c == "*" {
			return invalid("callers", "\"*\" would let in everybody: name an account, a user or a role")
		}
		if bad := badAWSPrincipal(c); bad != "" {
			return invalid("callers", "%q can't be trusted: %s", c, bad)
		}
	}
	for _, name := range s.Services {
		if !isServiceName(name) {
			return invalid("services", "%q is not the name of a service such as ssm.amazonaws.com", name)
		}
	}
	return s.checkDemands()
}

// checkDemands checks what a caller must bring.
func (s *TrustSpec) checkDemands() error {
	if s.ExternalID != "" {
		if err := CheckExternalID(s.ExternalID); err != nil {
			return err
		}
	}
	if s.OrgID != "" && (!strings.HasPrefix(s.OrgID, "o-") || strings.Trim(s.OrgID[2:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(s.OrgID) < 3) {
		return invalid("org id", "%q is not an organization's id (o-…)", s.OrgID)
	}
	if s.SourceIdentity != "" && s.SourceIdentity != "*" && !wordOf(s.SourceIdentity, 2, 64, "_+=,.@-") {
		return invalid("source identity", "%q is not 2 to 64 of letters, digits and _+=,.@-", s.SourceIdentity)
	}
	if len(s.SessionTags) > 50 {
		return invalid("session tags", "%d tags; a session takes 50", len(s.SessionTags))
	}
	return nil
}

// CheckExternalID holds an external ID to STS's rule: 2 to 1224 letters, digits and _+=,.@:/-.
func CheckExternalID(id string) error {
	if !wordOf(id, 2, 1224, "_+=,.@:/-") {
		return invalid("external id", "%.80q is not 2 to 1224 of letters, digits and _+=,.@:/-", id)
	}
	return nil
}

func wordOf(s string, least, most int, extra string) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, alphanumeric+extra) == ""
}

// NewExternalID makes an external ID of 128 random bits, in hexadecimal. random is crypto/rand.Reader outside of tests.
func NewExternalID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make an external id: read random bytes: %w", err)
	}
	return fmt.Sprintf("%x", b), nil
}

// conditions of the callers on sts:AssumeRole.
func (s *TrustSpec) conditions() []Condition {
	var out []Condition
	if s.ExternalID != "" {
		out = append(out, condition("StringEquals", keyExternalID, s.ExternalID))
	}
	return append(out, s.whoConditions()...)
}

// whoConditions are the conditions on the caller itself; they hold for every action of the call.
func (s *TrustSpec) whoConditions() []Condition {
	var out []Condition
	if s.OrgID != "" {
		out = append(out, condition("StringEquals", "aws:PrincipalOrgID", s.OrgID))
	}
	if s.RequireMFA {
		out = append(out, condition("Bool", keyMFA, "true"))
	}
	return out
}

// extras adds a statement each for session tags and source identity. The external ID is no condition key of these actions.
func (s *TrustSpec) extras(d *Document) {
	if len(s.Callers) == 0 {
		return
	}
	if s.SessionTags != nil {
		st := Statement{Principal: principals(s.Callers, nil), Action: texts(ActionTagSession), Conditions: s.whoConditions()}
		if len(s.SessionTags) > 0 {
			st.Conditions = append(st.Conditions, condition("ForAllValues:StringEquals", "aws:TagKeys", s.SessionTags...))
		}
		d.add(st)
	}
	if s.SourceIdentity != "" {
		st := Statement{Principal: principals(s.Callers, nil), Action: texts(ActionSetSourceIdentity), Conditions: s.whoConditions()}
		if s.SourceIdentity != "*" {
			st.Conditions = append(st.Conditions, condition("StringEquals", "sts:SourceIdentity", s.SourceIdentity))
		}
		d.add(st)
	}
}

func condition(operator, key string, values ...string) Condition {
	return Condition{Operator: operator, Key: key, Values: texts(values...).List}
}

func principals(aws, services []string) *Principals {
	p := &Principals{}
	for _, v := range services {
		p.Entries = append(p.Entries, Principal{Type: "Service", Value: Value{Text: v}})
	}
	for _, v := range aws {
		p.Entries = append(p.Entries, Principal{Type: "AWS", Value: Value{Text: v}})
	}
	return p
}

func newDocument() *Document {
	return &Document{Version: Version2012, HasVersion: true, hasStatement: true}
}

func (d *Document) add(s Statement) {
	s.Effect, s.hasEffect, s.Index = Allow, true, len(d.Statements)
	d.Statements = append(d.Statements, s)
}

// refusedAs guards the builders: what they write must pass the validator.
func refusedAs(d *Document, kind Kind) error {
	for _, f := range d.Validate(kind) {
		if f.Severity == SeverityError {
			return invalid(kind.String(), "%s", f.Message)
		}
	}
	return nil
}

// PermissionSpec says which roles a caller shall be allowed to assume.
type PermissionSpec struct {
	RoleARNs       []string
	SessionTags    bool // also allow sts:TagSession
	SourceIdentity bool // also allow sts:SetSourceIdentity
}

// PermissionPolicy writes the identity policy of the caller's side: sts:AssumeRole on exactly these roles.
func PermissionPolicy(s PermissionSpec) (*Document, error) {
	if len(s.RoleARNs) == 0 {
		return nil, invalid("roles", "a permission policy needs at least one role")
	}
	for _, r := range s.RoleARNs {
		if _, ok := ParseRoleARN(r); !ok || strings.Contains(r, "$") {
			return nil, invalid("roles", "%q is not the ARN of a role", r)
		}
	}
	actions := []string{ActionAssumeRole}
	if s.SessionTags {
		actions = append(actions, ActionTagSession)
	}
	if s.SourceIdentity {
		actions = append(actions, ActionSetSourceIdentity)
	}
	d := newDocument()
	d.add(Statement{Action: texts(actions...), Resource: texts(s.RoleARNs...)})
	return d, refusedAs(d, Identity)
}

// PermissionPolicyName names the permission policy after its role: AssumeRoleForRoleB. IAM takes 128 characters.
func PermissionPolicyName(roleARN string) string {
	name := "AssumeRoleFor" + lastSegment(roleARN)
	if len(name) > 128 {
		name = name[:128]
	}
	return name
}

// ParseGrant reads what a role may do: a policy document that must be an identity policy. The error is a [*SyntaxError]
// for what is not JSON, or names the first thing that AWS would refuse, with its place.
func ParseGrant(data []byte, file string) (*Document, error) {
	d, err := Parse(data, file)
	if err != nil {
		return nil, err
	}
	for _, f := range d.Validate(Identity) {
		if f.Severity == SeverityError {
			return nil, &SyntaxError{File: file, Pos: f.Pos, Msg: f.Code + ": " + f.Message}
		}
	}
	return d, nil
}
