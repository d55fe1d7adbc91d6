package localsts

import (
	"encoding/json"
	"maps"
	"slices"

	"crossrole/internal/policy"
)

// decoded is a decoded authorization message, in AWS's shape.
type decoded struct {
	Allowed           bool         `json:"allowed"`
	ExplicitDeny      bool         `json:"explicitDeny"`
	MatchedStatements items[match] `json:"matchedStatements"`
	Failures          items[match] `json:"failures"`
	Context           struct {
		Principal struct {
			ID  string `json:"id"`
			ARN string `json:"arn"`
		} `json:"principal"`
		Action     string           `json:"action"`
		Resource   string           `json:"resource"`
		Conditions items[condition] `json:"conditions"`
	} `json:"context"`
}

type items[T any] struct {
	Items []T `json:"items"`
}

type match struct {
	StatementID      string `json:"statementId"`
	Effect           string `json:"effect"`
	SourcePolicyID   string `json:"sourcePolicyId"`
	SourcePolicyType string `json:"sourcePolicyType"`
}

type condition struct {
	Key    string       `json:"key"`
	Values items[value] `json:"values"`
}

type value struct {
	Value string `json:"value"`
}

// encodeDecision seals a denial; only this server opens it, and only for who may decode it. At AWS such messages come with
// denials of other services (EC2); here every denial has one, in the server's own log.
func (s *Server) encodeDecision(c *call, act, resource string, res *policy.Result) string {
	d := decoded{Allowed: res.Decision == policy.DecisionAllow, ExplicitDeny: res.Explicit}
	d.MatchedStatements.Items, d.Failures.Items = []match{}, []match{}
	for _, r := range res.Reasons {
		m := match{r.Statement, r.Effect, r.Policy, string(r.Side)}
		if r.Effect == policy.EffectNone {
			d.Failures.Items = append(d.Failures.Items, m)
		} else {
			d.MatchedStatements.Items = append(d.MatchedStatements.Items, m)
		}
	}
	if c.caller != nil {
		d.Context.Principal.ID, d.Context.Principal.ARN = c.caller.userID(), c.caller.arn()
	}
	d.Context.Action, d.Context.Resource = act, resource
	ctx := s.baseContext(c)
	d.Context.Conditions.Items = []condition{}
	for _, k := range slices.Sorted(maps.Keys(ctx)) {
		var vs []value
		for _, v := range ctx[k].Values {
			vs = append(vs, value{v})
		}
		d.Context.Conditions.Items = append(d.Context.Conditions.Items, condition{k, items[value]{vs}})
	}
	text, err := s.mint.seal("decision", d)
	if err != nil {
		return ""
	}
	return text
}

func (s *Server) decodeAuthorizationMessage(c *call) ([]node, *apiError) {
	p := &params{form: c.form}
	text := p.need("EncodedMessage", rule{min: 1, max: 10240})
	if err := p.err(); err != nil {
		return nil, err
	}
	if apiErr := s.authorize(c, "sts:DecodeAuthorizationMessage", "*", "", s.baseContext(c)); apiErr != nil {
		return nil, apiErr
	}
	var d decoded
	if !s.mint.unseal("decision", text, &d) {
		return nil, badRequest("InvalidAuthorizationMessageException", "Message is not a valid encoded authorization message")
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, internalFailure()
	}
	return []node{tx("DecodedMessage", string(plain))}, nil
}
