package localsts

import (
	"strings"

	"crossrole/internal/policy"
)

// refusal is what AWS answers to a document that it does not take, or nil. Messages are AWS's where the validator
// has them.
func refusal(kind policy.Kind, text Document) *apiError {
	doc, err := policy.Parse([]byte(text), "")
	if err != nil {
		return badRequest("MalformedPolicyDocument", "This policy contains invalid Json")
	}
	for _, f := range doc.Validate(kind) {
		if f.Severity == policy.SeverityError {
			code := f.Code
			if code != "LimitExceeded" {
				code = "MalformedPolicyDocument"
			}
			if code == "LimitExceeded" {
				return &apiError{409, code, f.Message}
			}
			return badRequest(code, "%s", strings.TrimSpace(f.Message))
		}
	}
	return nil
}
