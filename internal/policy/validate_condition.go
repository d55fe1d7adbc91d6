package policy

import "strings"

// condition checks an operator's name, its key and the type of its values.
func (v *validator) condition(s *Statement, c *Condition) {
	op, known := operators[c.Operator]
	if !known {
		v.refuse(c.OpPos, s.Index, "Invalid Condition type : %.80q%s", c.Operator, operatorHint(c.Operator))
		return
	}
	if !conditionKey(c.Key) {
		v.refuse(c.Pos, s.Index, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: the condition key %.120q", c.Key)
		return
	}
	if len(c.Values) == 0 {
		v.advise(c.Pos, s.Index, "the condition key %.120q has no value to compare with", c.Key)
	}
	v.conditionAdvice(s, c, &op)
}

// operatorHint finds the operator that was meant: its case differs, or the suffix.
func operatorHint(name string) string {
	for _, known := range sortedKeys(operators) {
		if strings.EqualFold(known, name) {
			return " (operators are case-sensitive: " + known + ")"
		}
	}
	if strings.HasPrefix(name, opNull) || strings.HasSuffix(name, ":"+opNull) {
		return " (Null takes neither IfExists nor a set operator)"
	}
	return ""
}

// conditionKey accepts vendor:name and, for web identity, host/path:name.
func conditionKey(key string) bool {
	i := strings.IndexByte(key, ':')
	return i > 0 && i < len(key)-1 && strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// conditionAdvice names what AWS accepts and what hardly means what it says.
func (v *validator) conditionAdvice(s *Statement, c *Condition, op *operator) {
	multi := multiValued[strings.ToLower(c.Key)]
	switch {
	case op.forAll && s.Effect == Allow:
		v.advise(c.OpPos, s.Index, "%s is true when the request does not carry %.120q: an Allow needs a Null check beside it", c.Operator, c.Key)
	case multi && !op.forAll && !op.forAny && op.name != opNull:
		v.advise(c.OpPos, s.Index, "%.120q is a list: %s needs ForAnyValue or ForAllValues", c.Key, c.Operator)
	}
	if strings.EqualFold(c.Key, "aws:MultiFactorAuthPresent") {
		v.mfaAdvice(s, c, op)
	}
	if strings.EqualFold(c.Key, "sts:ExternalId") && op.ifExists && s.Effect == Allow {
		v.advise(c.OpPos, s.Index, "%s makes the external ID optional: a request without one is let in", c.Operator)
	}
	for _, val := range c.Values {
		why := badValue(op, val.Text)
		switch {
		case why == "":
		case strings.HasPrefix(op.name, "Date") && !startsLikeDate(val.Text): // the only values that IAM reads when a policy is saved
			v.refuse(val.Pos, s.Index, "The policy failed legacy parsing: %.120q is not %s for %s", val.Text, why, c.Operator)
		default:
			v.advise(val.Pos, s.Index, "%.120q is not %s: %s never matches it", val.Text, why, c.Operator)
		}
	}
}

// mfaAdvice: the key is absent for long-term keys, so the two usual spellings let bare keys through.
func (v *validator) mfaAdvice(s *Statement, c *Condition, op *operator) {
	if op.name != "Bool" || len(c.Values) != 1 {
		return
	}
	want, _ := parseBool(c.Values[0].Text)
	switch {
	case s.Effect == Allow && op.ifExists && want:
		v.advise(c.OpPos, s.Index, "BoolIfExists lets access keys without MFA in: the key aws:MultiFactorAuthPresent is absent for them; use Bool")
	case s.Effect == Deny && !op.ifExists && !want:
		v.advise(c.OpPos, s.Index, "Bool misses access keys without MFA: the key aws:MultiFactorAuthPresent is absent for them; use BoolIfExists")
	}
}

// badValue says what a policy value should have been, or "".
func badValue(op *operator, text string) string {
	ok, what := true, ""
	switch {
	case op.name == opNull || op.name == "Bool":
		_, ok = parseBool(text)
		what = "true or false"
	case strings.HasPrefix(op.name, "Numeric"):
		_, ok = parseNumber(text)
		what = "a number"
	case strings.HasPrefix(op.name, "Date"):
		_, ok = parseDate(text)
		what = "a date"
	case strings.HasSuffix(op.name, "IpAddress"):
		_, ok = parseBlock(text)
		what = "an address or a CIDR block"
	case strings.HasPrefix(op.name, "Arn"):
		ok = strings.Count(text, ":") >= 5
		what = "an ARN (six parts)"
	case op.name == "BinaryEquals":
		ok = binary(nil, text, text, false) == equals
		what = "base64"
	}
	if ok {
		return ""
	}
	return what
}

// startsLikeDate is as far as a refusal may go: there are more ways to write a date than are known here.
func startsLikeDate(s string) bool {
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-' || s[0] == '+')
}
