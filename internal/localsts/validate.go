package localsts

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// params reads an action's parameters and collects what is wrong with them, to be said in one ValidationError as
// AWS says it: all problems at once, each with the parameter's name in lower camel case.
type params struct {
	form     url.Values
	problems []string
}

// rule is a parameter's constraint, from the STS and IAM API references.
type rule struct {
	min, max  int // characters; 0 max is no limit
	pattern   func() *regexp.Regexp
	sensitive bool
}

var (
	reSessionName = lazy(`^[\w+=,.@-]*$`)
	reExternalID  = lazy(`^[\w+=,.@:\/-]*$`)
	reSerial      = lazy(`^[\w+=/:,.@-]*$`)
	reDigits      = lazy(`^[\d]*$`)
	reTagKey      = lazy(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	reTagValue    = lazy(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	reKeyID       = lazy(`^[\w]*$`)
	rePolicy      = lazy(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`)

	ruleARN         = rule{min: 20, max: 2048}
	ruleSessionName = rule{min: 2, max: 64, pattern: reSessionName}
	ruleExternalID  = rule{min: 2, max: 1224, pattern: reExternalID}
	ruleSerial      = rule{min: 9, max: 256, pattern: reSerial}
	ruleCode        = rule{min: 6, max: 6, pattern: reDigits}
	ruleJWT         = rule{min: 4, max: 20000, sensitive: true}
	rulePolicy      = rule{min: 1, max: 2048, pattern: rePolicy}
	ruleTagKey      = rule{min: 1, max: 128, pattern: reTagKey}
	ruleTagValue    = rule{min: 0, max: 256, pattern: reTagValue}
	ruleFedName     = rule{min: 2, max: 32, pattern: reSessionName}
)

// lazy compiles a pattern when it is first asked for: most runs of the program never serve a request.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func (p *params) need(name string, r rule) string {
	if !p.form.Has(name) {
		p.problem("Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(name))
		return ""
	}
	return p.get(name, r)
}

func (p *params) get(name string, r rule) string {
	v := p.form.Get(name)
	if p.form.Has(name) {
		p.check(lowerFirst(name), v, r)
	}
	return v
}

func (p *params) check(name, v string, r rule) {
	shown := "Value '" + clip(v) + "' at"
	if r.sensitive {
		shown = "Value at"
	}
	n := utf8.RuneCountInString(v)
	if n < r.min {
		p.problem("%s '%s' failed to satisfy constraint: Member must have length greater than or equal to %d", shown, name, r.min)
	}
	if r.max > 0 && n > r.max {
		p.problem("%s '%s' failed to satisfy constraint: Member must have length less than or equal to %d", shown, name, r.max)
	}
	if r.pattern != nil && !r.pattern().MatchString(v) {
		p.problem("%s '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s",
			shown, name, strings.TrimSuffix(strings.TrimPrefix(r.pattern().String(), "^"), "$"))
	}
}

// number reads an integer between low and high; def is what a missing one means.
func (p *params) number(name string, low, high, def int) int {
	if !p.form.Has(name) {
		return def
	}
	v := p.form.Get(name)
	n, err := strconv.ParseInt(v, 10, 32)
	switch {
	case err != nil:
		p.problem("Value '%s' at '%s' failed to satisfy constraint: Member must be an integer", clip(v), lowerFirst(name))
	case int(n) < low:
		p.problem("Value '%d' at '%s' failed to satisfy constraint: Member must have value greater than or equal to %d", n, lowerFirst(name), low)
	case int(n) > high:
		p.problem("Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", n, lowerFirst(name), high)
	}
	return int(n)
}

// list reads Name.member.1, .2, … (field "" ) or Name.member.1.field.
func (p *params) list(name, field string) (out []string) {
	if field != "" {
		field = "." + field
	}
	for i := 1; ; i++ {
		k := name + ".member." + strconv.Itoa(i) + field
		if !p.form.Has(k) {
			return out
		}
		out = append(out, p.form.Get(k))
	}
}

func (p *params) tags() (out []Tag) {
	for i, k := range p.list("Tags", "Key") {
		at := "tags." + strconv.Itoa(i+1) + ".member."
		v := p.form.Get("Tags.member." + strconv.Itoa(i+1) + ".Value")
		p.check(at+"key", k, ruleTagKey)
		p.check(at+"value", v, ruleTagValue)
		out = append(out, Tag{k, v})
	}
	p.atMost("tags", len(out), 50)
	return out
}

func (p *params) atMost(name string, n, most int) {
	if n > most {
		p.problem("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", name, most)
	}
}

func (p *params) problem(format string, a ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, a...))
}

// err is the ValidationError that names every problem, or nil.
func (p *params) err() *apiError {
	switch n := len(p.problems); n {
	case 0:
		return nil
	case 1:
		return validationError("1 validation error detected: %s", p.problems[0])
	default:
		return validationError("%d validation errors detected: %s", n, strings.Join(p.problems, "; "))
	}
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	if s == "SAMLAssertion" {
		return "sAMLAssertion"
	}
	return string(s[0]+'a'-'A') + s[1:]
}
