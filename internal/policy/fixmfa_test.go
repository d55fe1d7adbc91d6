package policy

import (
	"strings"
	"testing"
)

// AWS carries MFA as "true". Asking the caller for it again and again would never satisfy a statement that wants "True".
func TestFixOfMFAInAnotherSpelling(t *testing.T) {
	for conditions, sends := range map[string]bool{
		`"Bool":{"aws:MultiFactorAuthPresent":"true"}`:                                                                  true,
		`"BoolIfExists":{"aws:MultiFactorAuthPresent":"TRUE"}`:                                                          true,
		`"StringEqualsIgnoreCase":{"aws:MultiFactorAuthPresent":"True"}`:                                                true,
		`"StringEquals":{"aws:MultiFactorAuthPresent":"True"}`:                                                          false,
		`"Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"aws:multifactorauthpresent":"TRUE"}`:             true,
		`"StringLike":{"aws:MultiFactorAuthPresent":"True"},"StringEquals":{"sts:ExternalId":"a","sts:externalid":"b"}`: true,
	} {
		req, err := ParseRequest(strings.NewReader(`{"caller":{"arn":"arn:aws:iam::111111111111:user/u"},"role_arn":"arn:aws:iam::222222222222:role/r",
			"context":{"aws:MultiFactorAuthPresent":"false"},
			"trust_policy":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/u"},"Action":"sts:AssumeRole","Condition":{`+conditions+`}}},
			"identity_policies":[{"name":"i","policy":{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}}]}`), "test")
		if err != nil {
			t.Fatal(err)
		}
		res := Evaluate(req)
		asked := len(res.Missing) > 0 && res.Missing[0].Side == SideRequest
		if res.Decision != DecisionDeny || asked != sends {
			t.Errorf("%s: %s, the caller shall send more: %v", conditions, res.Decision, asked)
		}
	}
}
