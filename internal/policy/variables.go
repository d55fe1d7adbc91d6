package policy

import "strings"

// variable is one ${…} of a policy text.
type variable struct {
	key        string
	fallback   string
	hasDefault bool
	literal    string // for ${*}, ${?} and ${$}
}

// nextVariable finds the first variable of s: the text before it, the variable, the text after it. An unclosed "${" is
// plain text, as IAM takes it.
func nextVariable(s string) (before string, v variable, after string, ok bool) {
	start := strings.Index(s, "${")
	if start < 0 {
		return s, v, "", false
	}
	body := s[start+2:]
	end := strings.IndexByte(body, '}')
	if quote := strings.Index(body, ", '"); quote >= 0 && quote < end {
		// A default may hold a brace: it ends with its quote.
		close := strings.Index(body[quote+3:], "'}")
		if close < 0 {
			return s, v, "", false
		}
		end = quote + 3 + close + 1
	}
	if end < 0 {
		return s, v, "", false
	}
	return s[:start], readVariable(body[:end]), body[end+1:], true
}

func readVariable(body string) variable {
	if body == "*" || body == "?" || body == "$" {
		return variable{literal: body}
	}
	key, rest, found := strings.Cut(body, ", '")
	if found && strings.HasSuffix(rest, "'") {
		return variable{key: strings.TrimSpace(key), fallback: strings.TrimSuffix(rest, "'"), hasDefault: true}
	}
	return variable{key: body}
}

// resolve gives a variable's text. A key that is absent or has many values has none, and no default makes it unknown.
func (c lookup) resolve(v variable) (string, bool) {
	if v.literal != "" {
		return v.literal, true
	}
	if val, ok := c.get(v.key); ok && !val.Multi && len(val.Values) == 1 {
		return val.Values[0], true
	}
	return v.fallback, v.hasDefault
}

// expand replaces the variables of a text in which * and ? are themselves. ok is false when one can't be resolved.
func (c lookup) expand(s string, variables bool) (text string, ok bool) {
	if !variables || !strings.Contains(s, "${") {
		return s, true
	}
	var b strings.Builder
	for {
		before, v, after, found := nextVariable(s)
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		t, ok := c.resolve(v)
		if !ok {
			return "", false
		}
		b.WriteString(t)
		s = after
	}
}

// expandGlob replaces the variables of a text in which * and ? are wildcards; what a variable stands for is plain text.
func (c lookup) expandGlob(s string, variables bool) (p pattern, ok bool) {
	if !variables || !strings.Contains(s, "${") {
		return compileGlob(s), true
	}
	for {
		before, v, after, found := nextVariable(s)
		p = appendGlob(p, before)
		if !found {
			return p, true
		}
		t, ok := c.resolve(v)
		if !ok {
			return nil, false
		}
		p = append(p, []rune(t)...)
		s = after
	}
}
