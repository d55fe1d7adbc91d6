package policy

import "strings"

// Context holds the condition keys that a request carries. Names ignore case; nothing is ever added to it in silence:
// see [DeriveContext] for the keys that AWS derives from the caller.
type Context map[string]ContextValue

// ContextValue is one key's value, or its values when the key is multi-valued.
type ContextValue struct {
	Values []string
	Multi  bool
}

// One makes a single-valued context value.
func One(v string) ContextValue { return ContextValue{Values: []string{v}} }

// Many makes a multi-valued context value.
func Many(v ...string) ContextValue { return ContextValue{Values: v, Multi: true} }

// empty tells whether there is nothing in the values: the set operators take a key of empty texts as absent. Source: the
// IAM user guide, "Single-valued vs. multivalued context keys".
func (v ContextValue) empty() bool {
	for _, text := range v.Values {
		if text != "" {
			return false
		}
	}
	return true
}

// Get finds a key, ignoring case.
func (c Context) Get(key string) (ContextValue, bool) {
	if v, ok := c[key]; ok {
		return v, true
	}
	for k, v := range c {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return ContextValue{}, false
}

// Clone copies the map, not the values.
func (c Context) Clone() Context {
	out := make(Context, len(c)+1)
	for k, v := range c {
		out[k] = v
	}
	return out
}

// lookup is a context with lower-case names.
type lookup map[string]ContextValue

func newLookup(c Context) lookup {
	l := make(lookup, len(c))
	for _, k := range sortedKeys(c) {
		l[strings.ToLower(k)] = c[k]
	}
	return l
}

// get finds a key that has a value: an empty list is as good as absent.
func (c lookup) get(key string) (ContextValue, bool) {
	v, ok := c[strings.ToLower(key)]
	return v, ok && len(v.Values) > 0
}

// multiValued are the keys that AWS defines as lists. An operator without ForAllValues/ForAnyValue does not compare them.
// Source: the IAM user guide's list of global and STS condition keys.
var multiValued = map[string]bool{
	"aws:tagkeys": true, "aws:calledvia": true, "aws:principalorgpaths": true, "aws:resourceorgpaths": true,
	"aws:sourceorgpaths": true, "aws:principalservicenameslist": true, "sts:transitivetagkeys": true,
}

// DeriveContext returns what AWS itself puts into every request of this caller: aws:PrincipalArn, aws:PrincipalAccount,
// aws:PrincipalType, aws:userid and aws:username, as far as the caller's ARNs and unique id tell them. A request file's
// context is complete as it stands; merge these only where the request was built from ARNs.
func DeriveContext(c Caller) Context {
	out := Context{}
	who, err := readCaller(c)
	if err != nil || who.account == "" {
		return out
	}
	out["aws:PrincipalAccount"] = One(who.account)
	out["aws:PrincipalArn"] = One(who.principal)
	switch who.kind {
	case callerUser:
		out["aws:PrincipalType"] = One("User")
		out["aws:username"] = One(who.name)
		setIf(out, "aws:userid", c.UniqueID)
	case callerSession:
		out["aws:PrincipalType"] = One("AssumedRole")
		if id := c.UniqueID; id != "" && !strings.Contains(id, ":") && who.session != "" {
			out["aws:userid"] = One(id + ":" + who.session)
		} else {
			setIf(out, "aws:userid", id)
		}
	case callerFederatedUser:
		out["aws:PrincipalType"] = One("FederatedUser")
		out["aws:userid"] = One(who.account + ":" + who.name)
	case callerRoot:
		out["aws:PrincipalType"] = One("Account")
		out["aws:userid"] = One(who.account)
	case callerService, callerProvider: // neither is a principal of an account
	}
	return out
}

func setIf(c Context, key, value string) {
	if value != "" {
		c[key] = One(value)
	}
}
