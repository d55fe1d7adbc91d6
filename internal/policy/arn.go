package policy

import (
	"strings"
	"unicode"
)

// ARN is an Amazon Resource Name in its six parts; Resource keeps its own colons.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN splits an ARN. ok is false when it has fewer than six parts or does not begin with "arn:".
func ParseARN(s string) (a ARN, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" {
		return ARN{}, false
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, true
}

// String joins the parts again.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// IsAccountID tells whether s is an account number: twelve digits.
func IsAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ParseRoleARN splits arn:PARTITION:iam::ACCOUNT:role/PATH/NAME; ok is false for anything else.
func ParseRoleARN(s string) (a ARN, ok bool) {
	a, ok = ParseARN(s)
	if !ok || a.Service != "iam" || a.Region != "" || !IsAccountID(a.Account) || !cleanName(s) {
		return a, false
	}
	path, found := strings.CutPrefix(a.Resource, "role/")
	return a, found && path != "" && !strings.HasSuffix(path, "/") && !strings.ContainsAny(path, "*?: ")
}

// cleanName refuses blanks and what can't be printed, which no ARN of IAM has.
func cleanName(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }) < 0
}

// lastSegment is what follows the last slash: the name without its path.
func lastSegment(resource string) string {
	return resource[strings.LastIndexByte(resource, '/')+1:]
}

// Wildcards in a compiled pattern. Text that a policy variable stood for can't contain them.
const (
	anyRun rune = -1 // *
	anyOne rune = -2 // ?
)

// pattern is a text in which * and ? may be wildcards, after policy variables were replaced.
type pattern []rune

func (p pattern) String() string {
	var b strings.Builder
	for _, r := range p {
		switch r {
		case anyRun:
			b.WriteByte('*')
		case anyOne:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// compileGlob takes * and ? as wildcards and everything else as it stands.
func compileGlob(s string) pattern {
	p := make(pattern, 0, len(s))
	return appendGlob(p, s)
}

func appendGlob(p pattern, s string) pattern {
	for _, r := range s {
		switch r {
		case '*':
			r = anyRun
		case '?':
			r = anyOne
		}
		p = append(p, r)
	}
	return p
}

// match compares a whole text; linear in practice, quadratic at worst.
func (p pattern) match(s []rune) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == anyOne || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRun {
		i++
	}
	return i == len(p)
}

// globMatch matches without variables, with a short cut for the many patterns that have no wildcard.
func globMatch(glob, s string) bool {
	if !strings.ContainsAny(glob, "*?") {
		return glob == s
	}
	if glob == "*" {
		return true
	}
	return compileGlob(glob).match([]rune(s))
}

// split cuts at the first five colons.
func (p pattern) split() []pattern {
	var parts []pattern
	from := 0
	for i, r := range p {
		if r == ':' && len(parts) < 5 {
			parts = append(parts, p[from:i])
			from = i + 1
		}
	}
	return append(parts, p[from:])
}

// matchARN compares segment by segment: a wildcard stays inside its segment, save in the last one, which keeps its
// colons. open lets a pattern of fewer segments match when it ends with *, as Resource does and the Arn operators don't.
func matchARN(p pattern, arn string, open bool) bool {
	parts := p.split()
	if len(parts) < 6 {
		last := parts[len(parts)-1]
		if !open || len(last) == 0 || last[len(last)-1] != anyRun {
			return false
		}
	}
	for i, part := range parts {
		seg := arn
		if i < len(parts)-1 {
			var found bool
			if seg, arn, found = strings.Cut(arn, ":"); !found {
				return false
			}
		}
		if !part.match([]rune(seg)) {
			return false
		}
	}
	return true
}
