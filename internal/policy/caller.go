package policy

import (
	"fmt"
	"strings"
)

// Caller is who asks. For a session of a role ARN is the session's (sts, assumed-role) and PrincipalARN the role's, path
// included. UniqueID is AIDA… for a user, AROA… or AROA…:session for a role; empty when unknown. A service caller has its
// name (ssm.amazonaws.com) as ARN; the caller of AssumeRoleWithWebIdentity or …WithSAML is the identity provider, by its ARN
// or, for web identity, its host.
type Caller struct {
	ARN          string
	PrincipalARN string
	UniqueID     string
}

type callerKind uint8

const (
	callerUser callerKind = iota
	callerRoot
	callerSession // of a role
	callerFederatedUser
	callerService
	callerProvider // OIDC or SAML
)

// who is a caller as evaluation needs it.
type who struct {
	Caller
	kind      callerKind
	partition string
	account   string // "" for services and for the built-in web identity providers
	principal string // what aws:PrincipalArn says: the user's, or the session's role
	pathKnown bool   // false when a session came without its role's ARN
	name      string // of the user or role, without path
	session   string
	saml      bool
	linked    bool // a session of a service-linked role
}

// InvalidError says which part of a request is not what it must be.
type InvalidError struct {
	What string // such as "caller.arn" or "role_arn"
	Msg  string
}

// Error is one line; values are quoted.
func (e *InvalidError) Error() string { return e.What + ": " + e.Msg }

func invalid(what, format string, args ...any) error {
	return &InvalidError{What: what, Msg: fmt.Sprintf(format, args...)}
}

// builtinProviders are the web identity providers that trust policies name by host instead of by ARN.
var builtinProviders = map[string]bool{
	"accounts.google.com": true, "www.amazon.com": true, "graph.facebook.com": true, "cognito-identity.amazonaws.com": true,
}

func readCaller(c Caller) (who, error) {
	w := who{Caller: c, principal: c.ARN, pathKnown: true}
	if c.ARN == "" {
		return w, invalid("caller.arn", "is missing")
	}
	a, ok := ParseARN(c.ARN)
	if !ok {
		return w, w.fillName()
	}
	w.partition, w.account = a.Partition, a.Account
	if !IsAccountID(a.Account) || a.Region != "" || strings.ContainsAny(c.ARN, "*? ") || !cleanName(c.ARN) {
		return w, invalid("caller.arn", "%q is not the ARN of a caller: an account has 12 digits, and there is no region, blank or wildcard", c.ARN)
	}
	return w, w.fill(a)
}

// fillName reads a caller that is no ARN: a service, or a web identity provider by its host. Services live under Amazon's
// own domains.
func (w *who) fillName() error {
	switch {
	case builtinProviders[w.ARN]:
		w.kind = callerProvider
	case !isHostName(w.ARN):
		return invalid("caller.arn", "%q is neither an ARN nor the name of a service or an identity provider", w.ARN)
	case strings.Contains(w.ARN, ".amazonaws.com") || strings.HasSuffix(w.ARN, ".amazon.com"):
		w.kind = callerService
	default:
		w.kind = callerProvider
	}
	return nil
}

// fill reads the kind of caller out of the last part of its ARN.
func (w *who) fill(a ARN) error {
	kind, rest, _ := strings.Cut(a.Resource, "/")
	w.name = lastSegment(rest)
	switch {
	case a.Service == "iam" && a.Resource == "root":
		w.kind, w.name = callerRoot, "root"
		return nil
	case w.name == "":
	case a.Service == "iam" && kind == "user":
		w.kind = callerUser
		return nil
	case a.Service == "iam" && kind == "role":
		w.kind = callerSession
		w.linked = strings.HasPrefix(rest, "aws-service-role/")
		return nil
	case a.Service == "iam" && (kind == "oidc-provider" || kind == "saml-provider"):
		w.kind, w.saml = callerProvider, kind == "saml-provider"
		return nil
	case a.Service == "sts" && kind == "federated-user":
		w.kind = callerFederatedUser
		return nil
	case a.Service == "sts" && kind == "assumed-role":
		return w.fillSession(rest)
	}
	return invalid("caller.arn", "%q is not the ARN of a user, a role, a role's session, a federated user, the root user or an identity provider", w.ARN)
}

func (w *who) fillSession(rest string) error {
	role, session, ok := strings.Cut(rest, "/")
	if !ok || role == "" || session == "" || strings.Contains(session, "/") {
		return invalid("caller.arn", "%q is not assumed-role/ROLE/SESSION: a session's ARN has no path", w.ARN)
	}
	w.kind, w.name, w.session = callerSession, role, session
	if w.PrincipalARN == "" || w.PrincipalARN == w.ARN {
		w.principal, w.pathKnown = "arn:"+w.partition+":iam::"+w.account+":role/"+role, false
		w.linked = strings.HasPrefix(role, "AWSServiceRoleFor")
		return nil
	}
	p, ok := ParseRoleARN(w.PrincipalARN)
	if !ok {
		return invalid("caller.principal_arn", "%q is not the ARN of a role", w.PrincipalARN)
	}
	if p.Account != w.account || p.Partition != w.partition || lastSegment(p.Resource) != role {
		return invalid("caller.principal_arn", "%q is not the role of the session %q", w.PrincipalARN, w.ARN)
	}
	w.principal = w.PrincipalARN
	w.linked = strings.HasPrefix(p.Resource, "role/aws-service-role/")
	return nil
}

// isHostName accepts names like ssm.amazonaws.com and token.example.com/path: lower-case labels with dots, and a provider's
// path.
func isHostName(s string) bool {
	host, path, _ := strings.Cut(s, "/")
	return isServiceName(host) && cleanName(path) && !strings.ContainsAny(path, "*?")
}

// isServiceName accepts names like ssm.amazonaws.com and s3.us-east-1.amazonaws.com.cn: lower-case labels with dots.
func isServiceName(s string) bool {
	if !strings.Contains(s, ".") || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// iam tells whether the caller is an IAM principal, one that identity policies and SCPs are about.
func (w *who) iam() bool { return w.kind != callerService && w.kind != callerProvider }

// named is how a trust policy would name this caller; type and value.
func (w *who) named() (kind, value string) {
	switch w.kind {
	case callerService:
		return "Service", w.ARN
	case callerProvider:
		return "Federated", w.ARN
	default:
		return "AWS", w.principal
	}
}

// match says by which form a principal element lets a caller in, from the widest effect on later steps to the narrowest.
type match uint8

const (
	noMatch      match = iota
	byAccount          // account number or root: delegates to the account's identity policies
	byRole             // a session by its role: its boundary and session policy still limit it
	byUser             // the user itself
	bySession          // exactly this session
	byAnyone           // "*"
	byService          // a service by its name
	byProvider         // an identity provider
	byRootItself       // the root user, by root
)

func (m match) String() string {
	return [...]string{
		"no principal matches", "the account is trusted (its identity policies decide)", "the session's role is named", "the user is named",
		"the session is named", "anyone is let in", "the service is named", "the identity provider is named", "the account is named",
	}[m]
}

// matches compares every entry of a Principal element with the caller and returns the most generous form.
func (p *Principals) matches(w *who) match {
	if p.Star {
		return byAnyone
	}
	best := noMatch
	for i := range p.Entries {
		best = max(best, p.Entries[i].matches(w))
	}
	return best
}

func (p *Principal) matches(w *who) match {
	switch p.Type {
	case "AWS":
		return matchAWS(p.Text, w)
	case "Service":
		if w.kind == callerService && p.Text == w.ARN {
			return byService
		}
	case "Federated":
		if w.kind == callerProvider && (p.Text == w.ARN || w.account == "" && strings.HasSuffix(p.Text, ":oidc-provider/"+w.ARN)) {
			return byProvider
		}
	}
	return noMatch
}

func matchAWS(value string, w *who) match {
	switch {
	case value == "*":
		return byAnyone
	case !w.iam():
		return noMatch
	case value == w.account, value == "arn:"+w.partition+":iam::"+w.account+":root":
		if w.kind == callerRoot {
			return byRootItself
		}
		return byAccount
	case w.kind == callerSession && value == w.principal:
		return byRole
	case value == w.ARN && w.kind == callerUser:
		return byUser
	case value == w.ARN:
		return bySession
	case w.kind == callerSession && !w.pathKnown && sameRoleName(value, w):
		return byRole
	}
	return matchUniqueID(value, w)
}

// sameRoleName compares a role's ARN with a session whose role's path is unknown: role names are unique in an account
// whatever their path.
func sameRoleName(value string, w *who) bool {
	a, ok := ParseRoleARN(value)
	return ok && a.Account == w.account && a.Partition == w.partition && lastSegment(a.Resource) == w.name
}

// matchUniqueID compares the form that IAM stores and shows once the principal was deleted.
func matchUniqueID(value string, w *who) match {
	id, _, _ := strings.Cut(w.UniqueID, ":")
	if !isUniqueID(value) || id != value {
		return noMatch
	}
	if w.kind == callerUser {
		return byUser
	}
	return byRole
}

// isUniqueID recognises the unique ids of users (AIDA…) and roles (AROA…).
func isUniqueID(s string) bool {
	if len(s) < 8 || len(s) > 128 || !strings.HasPrefix(s, "AIDA") && !strings.HasPrefix(s, "AROA") {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
