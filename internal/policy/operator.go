package policy

import (
	"encoding/base64"
	"math/big"
	"net/netip"
	"strings"
	"time"
)

// verdict of comparing one request value with one policy value. unknown means that one of them is not of the operator's
// type: it satisfies neither the operator nor its negation. A policy value whose variable has no value is null: it equals
// nothing, so the negated operators hold against it. Source: the IAM user guide, "Policy variables with no value".
type verdict int8

const (
	differs verdict = iota
	equals
	unknown
)

func verdictOf(b bool) verdict {
	if b {
		return equals
	}
	return differs
}

// comparison compares a policy value (left to right as written) with a request value.
type comparison func(c lookup, want, got string, variables bool) verdict

// operator is one condition operator, as its name in a policy spells it.
type operator struct {
	name     string // without modifiers
	compare  comparison
	negated  bool
	ifExists bool
	forAll   bool
	forAny   bool
}

// baseOperators are the condition operators of IAM. Source: the IAM user guide, "Condition operators".
var baseOperators = []operator{
	{name: "StringEquals", compare: stringEquals},
	{name: "StringNotEquals", compare: stringEquals, negated: true},
	{name: "StringEqualsIgnoreCase", compare: stringFold},
	{name: "StringNotEqualsIgnoreCase", compare: stringFold, negated: true},
	{name: "StringLike", compare: stringLike},
	{name: "StringNotLike", compare: stringLike, negated: true},
	{name: "NumericEquals", compare: numeric(func(c int) bool { return c == 0 })},
	{name: "NumericNotEquals", compare: numeric(func(c int) bool { return c == 0 }), negated: true},
	{name: "NumericLessThan", compare: numeric(func(c int) bool { return c < 0 })},
	{name: "NumericLessThanEquals", compare: numeric(func(c int) bool { return c <= 0 })},
	{name: "NumericGreaterThan", compare: numeric(func(c int) bool { return c > 0 })},
	{name: "NumericGreaterThanEquals", compare: numeric(func(c int) bool { return c >= 0 })},
	{name: "DateEquals", compare: date(func(c int) bool { return c == 0 })},
	{name: "DateNotEquals", compare: date(func(c int) bool { return c == 0 }), negated: true},
	{name: "DateLessThan", compare: date(func(c int) bool { return c < 0 })},
	{name: "DateLessThanEquals", compare: date(func(c int) bool { return c <= 0 })},
	{name: "DateGreaterThan", compare: date(func(c int) bool { return c > 0 })},
	{name: "DateGreaterThanEquals", compare: date(func(c int) bool { return c >= 0 })},
	{name: "Bool", compare: boolean},
	{name: "BinaryEquals", compare: binary},
	{name: "IpAddress", compare: address},
	{name: "NotIpAddress", compare: address, negated: true},
	{name: "ArnEquals", compare: arnLike},
	{name: "ArnLike", compare: arnLike},
	{name: "ArnNotEquals", compare: arnLike, negated: true},
	{name: "ArnNotLike", compare: arnLike, negated: true},
}

const opNull = "Null"

// operators maps every spelling, case-sensitive, to its meaning.
var operators = allOperators()

func allOperators() map[string]operator {
	m := map[string]operator{opNull: {name: opNull}}
	for _, base := range baseOperators {
		for _, prefix := range []string{"", "ForAllValues:", "ForAnyValue:"} {
			for _, suffix := range []string{"", "IfExists"} {
				op := base
				op.forAll, op.forAny = prefix == "ForAllValues:", prefix == "ForAnyValue:"
				op.ifExists = suffix != ""
				m[prefix+base.name+suffix] = op
			}
		}
	}
	return m
}

func stringEquals(c lookup, want, got string, variables bool) verdict {
	text, ok := c.expand(want, variables)
	if !ok {
		return differs
	}
	return verdictOf(text == got)
}

func stringFold(c lookup, want, got string, variables bool) verdict {
	text, ok := c.expand(want, variables)
	if !ok {
		return differs
	}
	return verdictOf(strings.EqualFold(text, got))
}

func stringLike(c lookup, want, got string, variables bool) verdict {
	p, ok := c.expandGlob(want, variables)
	if !ok {
		return differs
	}
	return verdictOf(p.match([]rune(got)))
}

func arnLike(c lookup, want, got string, variables bool) verdict {
	if _, ok := ParseARN(got); !ok {
		return unknown
	}
	p, ok := c.expandGlob(want, variables)
	if !ok {
		return differs
	}
	return verdictOf(matchARN(p, got, false))
}

func numeric(test func(int) bool) comparison {
	return func(_ lookup, want, got string, _ bool) verdict {
		w, ok1 := parseNumber(want)
		g, ok2 := parseNumber(got)
		if !ok1 || !ok2 {
			return unknown
		}
		return verdictOf(test(g.Cmp(w)))
	}
}

// parseNumber reads an integer or decimal exactly. Exponents are no part of IAM's numbers (and could be bombs).
func parseNumber(s string) (*big.Rat, bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || len(s) > 64 {
		return nil, false
	}
	if strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 || strings.Trim(digits, ".") == "" {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func date(test func(int) bool) comparison {
	return func(_ lookup, want, got string, _ bool) verdict {
		w, ok1 := parseDate(want)
		g, ok2 := parseDate(got)
		if !ok1 || !ok2 {
			return unknown
		}
		return verdictOf(test(g.Compare(w)))
	}
}

// dateLayouts are W3C's profile of ISO 8601, from the longest form to the year alone. Fractions of a second are accepted by
// time.Parse wherever seconds are.
var dateLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04", "2006-01-02T15Z07:00", "2006-01-02", "2006-01", "2006", "20060102T150405Z",
}

// parseDate reads an ISO 8601 date, in which T and Z may be small, or the seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	if n, ok := parseNumber(s); ok && len(s) != 4 {
		return epoch(n)
	}
	s = strings.ToUpper(s)
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// epoch is the time so many seconds after the beginning of 1970; ok is false beyond thirty billion years.
func epoch(seconds *big.Rat) (t time.Time, ok bool) {
	whole := new(big.Int).Div(seconds.Num(), seconds.Denom())
	if !whole.IsInt64() || whole.CmpAbs(big.NewInt(1e18)) > 0 {
		return time.Time{}, false
	}
	rest, _ := new(big.Rat).Sub(seconds, new(big.Rat).SetInt(whole)).Float64()
	return time.Unix(whole.Int64(), int64(rest*1e9)), true
}

func boolean(_ lookup, want, got string, _ bool) verdict {
	w, ok1 := parseBool(want)
	g, ok2 := parseBool(got)
	if !ok1 || !ok2 {
		return unknown
	}
	return verdictOf(w == g)
}

func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

func binary(_ lookup, want, got string, _ bool) verdict {
	w, err1 := base64.StdEncoding.DecodeString(want)
	g, err2 := base64.StdEncoding.DecodeString(got)
	if err1 != nil || err2 != nil {
		return unknown
	}
	return verdictOf(string(w) == string(g))
}

func address(_ lookup, want, got string, _ bool) verdict {
	ip, err := netip.ParseAddr(got)
	if err != nil {
		return unknown
	}
	block, ok := parseBlock(want)
	if !ok {
		return unknown
	}
	return verdictOf(block.Contains(ip.Unmap().WithZone("")))
}

// parseBlock reads a CIDR block; a bare address is a block of one.
func parseBlock(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	ip = ip.Unmap().WithZone("")
	return netip.PrefixFrom(ip, ip.BitLen()), true
}
