package policy

import (
	"encoding/json"
	"errors"
)

// Decision is the answer of an evaluation.
type Decision string

// The three answers. Invalid means that a document, an action or an ARN is not one: nothing was evaluated.
const (
	DecisionAllow   Decision = "allow"
	DecisionDeny    Decision = "deny"
	DecisionInvalid Decision = "invalid"
)

// Side is where a policy hangs, or where something is missing.
type Side string

// The sides of a role assumption; SideResource stands for the resource's policy in [EvaluateAction].
const (
	SideTrust    Side = "trust"
	SideIdentity Side = "identity"
	SideBoundary Side = "boundary"
	SideSession  Side = "session"
	SideSCP      Side = "scp"
	SideRCP      Side = "rcp"
	SideRequest  Side = "request"
	SideResource Side = "resource"
)

// EffectNone is the effect of a reason that is not a statement: nothing there allows.
const EffectNone = "None"

// Result is what an evaluation found. Its JSON form is the documented output of explain; no list is ever null.
type Result struct {
	Decision Decision `json:"decision"`
	// Explicit is true when a Deny statement that applies decided.
	Explicit bool      `json:"explicit"`
	Reasons  []Reason  `json:"reasons"`
	Missing  []Missing `json:"missing"`
	Warnings []string  `json:"warnings"`
	Trace    []Step    `json:"trace"`
	// NearMisses are also told in the Why of the reasons of their side.
	NearMisses []NearMiss `json:"-"`
}

// Reason is one statement that decided, or one side where a statement is missing.
type Reason struct {
	Side      Side   `json:"side"`
	Policy    string `json:"policy"`
	Statement string `json:"statement"` // its Sid, or #N; "" when there is none
	Effect    string `json:"effect"`    // Allow, Deny or None
	Why       string `json:"why"`
	// Where the statement stands, for people.
	File string `json:"-"`
	Pos  Pos    `json:"-"`
}

// Place is file:line:column of the reason's statement, or "" when there is none.
func (r Reason) Place() string {
	if r.Pos.Line == 0 {
		return ""
	}
	return place(r.File, r.Pos)
}

// Missing is the smallest document that would let the request pass, and the side and account it belongs to. It keeps the
// conditions of the statement that came near, or asks for what this request carries. On the side "request" the document is
// the context that the request should have carried; the other documents let that request pass.
type Missing struct {
	Side     Side            `json:"side"`
	Account  string          `json:"account"`
	Document json.RawMessage `json:"document"`
}

// Step is one statement held against one action of the request.
type Step struct {
	Action    string  `json:"action"`
	Side      Side    `json:"side"`
	Level     string  `json:"level,omitempty"`
	Policy    string  `json:"policy"`
	Statement string  `json:"statement"`
	Effect    string  `json:"effect"`
	Applies   bool    `json:"applies"`
	Failed    string  `json:"failed,omitempty"` // the element that did not match: principal, action, resource, condition
	Why       string  `json:"why,omitempty"`
	Checks    []Check `json:"conditions,omitempty"`
	File      string  `json:"file,omitempty"`
	Line      int     `json:"line,omitempty"`
	Column    int     `json:"column,omitempty"`
}

// Check is one condition with the values compared.
type Check struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Policy   []string `json:"policy"`  // what the policy asks for
	Request  []string `json:"request"` // what the request carries; null when it does not carry the key
	Held     bool     `json:"held"`
}

func newResult() *Result {
	return &Result{Decision: DecisionDeny, Reasons: []Reason{}, Missing: []Missing{}, Warnings: []string{}, Trace: []Step{}}
}

// InvalidResult turns an error of [ParseRequest] or [Parse] into the answer "invalid", for output in the usual shape.
func InvalidResult(err error) *Result {
	res := newResult()
	res.Decision = DecisionInvalid
	reason := Reason{Side: SideRequest, Effect: EffectNone, Why: err.Error()}
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		reason.File, reason.Pos = syntax.File, syntax.Pos
	}
	res.Reasons = append(res.Reasons, reason)
	return res
}

func (r *Result) warn(text string) {
	for _, w := range r.Warnings {
		if w == text {
			return
		}
	}
	r.Warnings = append(r.Warnings, text)
}
