package policy

import (
	"fmt"
	"slices"
	"strings"
)

// NearMiss is a statement that would have let the request through but for one thing.
type NearMiss struct {
	Side      Side
	Policy    string
	Statement string
	What      string // one sentence
	File      string
	Pos       Pos
}

// hints adds to the reasons what was nearly right, and for an explicit deny what has to change.
func (e *evaluator) hints() {
	if e.res.Explicit {
		e.denyHints()
		return
	}
	seen := map[string]bool{}
	for _, l := range e.lacks {
		for _, ref := range e.refsOf(l) {
			e.nearMisses(ref, l, seen)
		}
	}
	for i := range e.res.Reasons {
		r := &e.res.Reasons[i]
		for _, n := range e.res.NearMisses {
			if n.Side == r.Side && !strings.Contains(r.Why, n.What) {
				r.Why += fmt.Sprintf("; near miss in %s, statement %s: %s", Printable(n.Policy), Printable(n.Statement), n.What)
			}
		}
	}
}

// denyHints names the statement that must change: nothing else can help.
func (e *evaluator) denyHints() {
	for i := range e.res.Reasons {
		r := &e.res.Reasons[i]
		r.Why += "; no Allow overrides a Deny: this statement must change, or the request must not meet it"
		for _, s := range e.res.Trace {
			if s.Applies && s.Side == r.Side && s.Statement == r.Statement && s.mfaAbsent() {
				r.Why += " (the request carries no aws:MultiFactorAuthPresent: long-term access keys never do, call with an MFA code)"
				break
			}
		}
	}
}

// mfaAbsent tells a statement that applies because the request says nothing about MFA.
func (s *Step) mfaAbsent() bool {
	for _, c := range s.Checks {
		if strings.EqualFold(c.Key, keyMFA) && c.Request == nil && c.Held && c.Operator != opNull {
			return true
		}
	}
	return false
}

const (
	keyMFA        = "aws:MultiFactorAuthPresent"
	keyExternalID = "sts:ExternalId"
)

// refsOf lists the policies of the side (and level) that lacks an Allow.
func (e *evaluator) refsOf(l lack) []*policyRef {
	var out []*policyRef
	switch l.side {
	case SideTrust:
		out = append(out, e.gate)
	case SideIdentity:
		for i := range e.identity {
			out = append(out, &e.identity[i])
		}
	case SideBoundary:
		out = append(out, e.boundary)
	case SideSession:
		out = append(out, e.session)
	case SideSCP:
		for i := range e.scps[l.level] {
			out = append(out, &e.scps[l.level][i])
		}
	case SideRCP, SideRequest, SideResource: // nothing there lacks an Allow
	}
	return out
}

func (e *evaluator) nearMisses(ref *policyRef, l lack, seen map[string]bool) {
	if ref.doc == nil {
		return
	}
	for i := range ref.doc.Statements {
		s := &ref.doc.Statements[i]
		if s.Effect != Allow {
			continue
		}
		what := e.nearMiss(ref, s, l.action)
		key := string(ref.side) + ref.label() + s.Name() + what
		if what == "" || seen[key] {
			continue
		}
		seen[key] = true
		e.res.NearMisses = append(e.res.NearMisses, NearMiss{ref.side, ref.label(), s.Name(), what, ref.doc.File, s.Pos})
	}
}

// nearMiss says what one thing keeps an Allow statement from applying, or "" when it is far off.
func (e *evaluator) nearMiss(ref *policyRef, s *Statement, action string) string {
	actionOK := s.actionMatches(action)
	principalOK := s.Principal == nil || s.principalMatch(&e.who) != noMatch
	resourceOK := e.resourceFails(ref.doc, s) == ""
	switch {
	case !actionOK && principalOK && resourceOK:
		return s.nearAction(action)
	case !actionOK:
		return ""
	case !principalOK:
		return e.nearPrincipal(s.Principal)
	case !resourceOK:
		return e.nearResource(s.Resource)
	}
	return e.nearCondition(ref.doc, s)
}

func (s *Statement) nearAction(action string) string {
	if s.Action == nil {
		return ""
	}
	for _, a := range s.Action.List {
		service, name, _ := strings.Cut(a.Text, ":")
		switch {
		case strings.EqualFold(a.Text, "iam:PassRole"):
			return fmt.Sprintf("it allows iam:PassRole, which hands a role to a service; %s was meant", action)
		case strings.EqualFold(service, "sts") && strings.HasPrefix(strings.ToLower(name), "assumerole") && !strings.ContainsAny(name, "*?"):
			return fmt.Sprintf("it allows %s, but not %s", a.Text, action)
		}
	}
	return ""
}

func (e *evaluator) nearPrincipal(p *Principals) string {
	for i := range p.Entries {
		if what := e.nearEntry(&p.Entries[i]); what != "" {
			return what
		}
	}
	return ""
}

func (e *evaluator) nearEntry(p *Principal) string {
	if isUniqueID(p.Text) {
		return fmt.Sprintf("it names the unique id %s: that user or role was deleted, and one made anew under the same name is another; name its ARN again", p.Text)
	}
	if p.Type != "AWS" {
		if strings.EqualFold(p.Text, e.who.ARN) {
			return fmt.Sprintf("the principal %q differs from %q by upper and lower case", p.Text, e.who.ARN)
		}
		return ""
	}
	if what := nearARN(p.Text, e.who.principal); what != "" {
		return "the principal " + what
	}
	return e.nearSession(p.Text)
}

// nearSession compares the ARN of a session with the caller's.
func (e *evaluator) nearSession(text string) string {
	a, ok := ParseARN(text)
	name, session, isSession := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/")
	if !ok || !isSession || !strings.HasPrefix(a.Resource, "assumed-role/") || e.who.kind != callerSession || a.Account != e.who.account {
		return ""
	}
	if name == e.who.name {
		return fmt.Sprintf("it names the session %q of the caller's role, and this session is %q", session, e.who.session)
	}
	return ""
}

// nearARN says how two ARNs differ when they differ by one thing only.
func nearARN(have, want string) string {
	h, ok1 := ParseARN(have)
	w, ok2 := ParseARN(want)
	if !ok1 || !ok2 || have == want {
		return ""
	}
	by := ""
	switch {
	case strings.EqualFold(have, want):
		by = "upper and lower case"
	case h.Account != w.Account:
		if h.Resource == w.Resource {
			by = "its account"
		}
	case h.Partition != w.Partition && h.Resource == w.Resource:
		by = "its partition"
	default:
		by = nearName(h.Resource, w.Resource)
	}
	if by == "" {
		return ""
	}
	return fmt.Sprintf("%q differs from %q by %s", have, want, by)
}

// nearName says by which one thing two names of one account differ.
func nearName(have, want string) string {
	sameKind := strings.SplitN(have, "/", 2)[0] == strings.SplitN(want, "/", 2)[0]
	sameName := lastSegment(have) == lastSegment(want)
	switch {
	case sameKind && sameName:
		return "its path"
	case sameKind && strings.EqualFold(lastSegment(have), lastSegment(want)):
		return "its path and by upper and lower case"
	case !sameKind && sameName:
		return "its kind"
	default:
		return ""
	}
}

func (e *evaluator) nearResource(list *Values) string {
	if list == nil {
		return ""
	}
	role, _ := ParseARN(e.resource)
	for _, v := range list.List {
		a, ok := ParseARN(v.Text)
		switch {
		case !ok:
		case a.Service == "sts" && strings.HasPrefix(a.Resource, "assumed-role/"):
			if name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/"); name == lastSegment(role.Resource) || name == "*" {
				return fmt.Sprintf("its Resource %q is a session of the role; the role's own ARN %q belongs there", v.Text, e.resource)
			}
		case a.Service == "iam" && a.Resource == "root" && a.Account == role.Account:
			return fmt.Sprintf("its Resource %q is the account; the role's own ARN %q belongs there", v.Text, e.resource)
		default:
			if what := nearARN(v.Text, e.resource); what != "" {
				return "its Resource " + what
			}
		}
	}
	return ""
}

// nearCondition names the one condition that failed; with several it names all of them.
func (e *evaluator) nearCondition(doc *Document, s *Statement) string {
	var parts []string
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if !c.holds(e.ctx, doc.variables()) {
			parts = append(parts, e.conditionMiss(c))
		}
	}
	return strings.Join(parts, "; and ")
}

func (e *evaluator) conditionMiss(c *Condition) string {
	val, present := e.ctx.get(c.Key)
	check := Check{Operator: c.Operator, Key: c.Key, Policy: c.texts(), Request: val.Values}
	switch key := strings.ToLower(c.Key); {
	case key == strings.ToLower(keyExternalID) && !present:
		return fmt.Sprintf("it asks for the external ID %s and the request carries none", quoteList(check.Policy))
	case key == strings.ToLower(keyExternalID):
		return fmt.Sprintf("the external ID differs: it asks for %s, the request carries %s", quoteList(check.Policy), quoteList(val.Values))
	case key == strings.ToLower(keyMFA) && e.who.kind == callerSession:
		return "it asks for MFA, and the credentials of an assumed role carry none: only the first hop of a chain can"
	case key == strings.ToLower(keyMFA):
		return "it asks for MFA and the request carries none: call with an MFA code"
	case !present:
		if meant := misspelt(c.Key); meant != "" {
			return fmt.Sprintf("it has a condition on %.120q, which no request carries; %s was meant", c.Key, meant)
		}
	}
	return "its condition does not hold: " + check.why(val, present)
}

// knownKeys are the condition keys of role assumption, for finding what a misspelt one meant.
// Source: the service authorization reference of STS and the IAM user guide's global keys.
var knownKeys = []string{
	keyExternalID, keyMFA, "aws:MultiFactorAuthAge", "aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
	"aws:PrincipalType", "aws:PrincipalIsAWSService", "aws:PrincipalServiceName", "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceArn",
	"aws:SourceAccount", "aws:SourceOrgID", "aws:SourceIdentity", "aws:SecureTransport", "aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime",
	"aws:UserAgent", "aws:userid", "aws:username", "aws:ViaAWSService", "aws:VpcSourceIp", "aws:RequestedRegion", "aws:TagKeys", "aws:FederatedProvider",
	"sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys", "sts:DurationSeconds", "sts:RequestContextProviders",
}

// misspelt finds the known key that is one or two letters away from one that is not known.
func misspelt(key string) string {
	lower := strings.ToLower(key)
	if slices.ContainsFunc(knownKeys, func(known string) bool { return strings.EqualFold(known, key) }) {
		return ""
	}
	meant, least := "", 3
	for _, known := range knownKeys {
		if d := distance(lower, strings.ToLower(known), 2); d < least {
			meant, least = known, d
		}
	}
	return meant
}

// distance is the edit distance of two texts, or limit+1 when their lengths differ by more than that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 128 {
		return limit + 1
	}
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		diagonal := prev[0]
		prev[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = prev[j+1]
			prev[j+1] = min(cost, prev[j]+1, prev[j+1]+1)
		}
	}
	return prev[len(b)]
}
