package policy

import "strings"

// holds evaluates one key under one operator against what the request carries.
// Source: the IAM user guide, "Condition operators" and "Multivalued context keys".
func (c *Condition) holds(ctx lookup, variables bool) bool {
	op, ok := operators[c.Operator]
	if !ok {
		return false // the validator has refused the document already
	}
	val, present := ctx.get(c.Key)
	if op.name == opNull {
		return c.null(!present)
	}
	if !present {
		return op.missing()
	}
	if op.forAll || op.forAny {
		if val.empty() {
			return op.missing()
		}
		return op.set(ctx, c.Values, val.Values, variables)
	}
	if val.Multi && (len(val.Values) > 1 || multiValued[strings.ToLower(c.Key)]) {
		return false // lists are compared by ForAllValues and ForAnyValue only
	}
	return op.one(ctx, c.Values, val.Values[0], variables)
}

// null answers the Null operator: "true" asks that the key be absent, "false" that it be there.
func (c *Condition) null(absent bool) bool {
	for _, v := range c.Values {
		if want, ok := parseBool(v.Text); ok && want == absent {
			return true
		}
	}
	return false
}

// missing is an operator's answer for a key that the request does not carry. ForAnyValue wants a value even with IfExists.
func (op *operator) missing() bool {
	return !op.forAny && (op.ifExists || op.forAll || op.negated)
}

// one compares one request value: OR over the policy's values, NOR when negated.
func (op *operator) one(ctx lookup, want []Value, got string, variables bool) bool {
	for _, w := range want {
		switch op.compare(ctx, w.Text, got, variables) {
		case equals:
			return !op.negated
		case unknown:
			if op.negated {
				return false
			}
		case differs:
		}
	}
	return op.negated
}

func (op *operator) set(ctx lookup, want []Value, got []string, variables bool) bool {
	for _, g := range got {
		if held := op.one(ctx, want, g, variables); held != op.forAll {
			return held
		}
	}
	return op.forAll
}
