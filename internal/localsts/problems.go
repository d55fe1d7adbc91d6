package localsts

import (
	"fmt"
	"slices"

	"crossrole/internal/policy"
)

// Problems names what in the accounts AWS would not have taken, or is not known here, a line each: documents that are
// refused, principals that do not exist, managed policies that came without their text.
func (w *World) Problems() []string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	var out []string
	ids := make([]string, 0, len(w.accounts))
	for id := range w.accounts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		x := w.accounts[id]
		for _, r := range x.Roles {
			out = append(out, w.trustProblems(r)...)
		}
		for e := range x.entities {
			out = append(out, w.entityProblems(x, e)...)
		}
	}
	return out
}

func (w *World) trustProblems(r *Role) (out []string) {
	if apiErr := refusal(policy.Trust, r.Trust); apiErr != nil {
		return []string{fmt.Sprintf("%s: trust policy: %v; it lets nobody in", r.ARN, apiErr)}
	}
	for _, st := range w.docs.get(r.Trust, "").Statements {
		if st.Principal == nil {
			continue
		}
		for _, p := range st.Principal.Entries {
			if p.Type == "AWS" && !w.principalExists(p.Text) {
				out = append(out, fmt.Sprintf("%s: trust policy: there is no principal %q", r.ARN, clip(p.Text)))
			}
		}
	}
	return out
}

func (w *World) entityProblems(x *accountIndex, e entity) (out []string) {
	for _, p := range *e.inline {
		if apiErr := refusal(policy.Identity, p.Document); apiErr != nil {
			out = append(out, fmt.Sprintf("%s: policy %q: %v; nothing is allowed to who has it", e.arn, clip(p.Name), apiErr))
		}
	}
	for _, a := range *e.attached {
		if _, ok := x.managed(a.ARN); !ok {
			out = append(out, fmt.Sprintf("%s: the text of the attached policy %q is not known; it allows nothing", e.arn, clip(a.ARN)))
		}
	}
	if e.boundary != nil && *e.boundary != nil {
		if _, ok := x.managed((*e.boundary).ARN); !ok {
			out = append(out, fmt.Sprintf("%s: the text of the permissions boundary %q is not known; it allows nothing", e.arn, clip((*e.boundary).ARN)))
		}
	}
	return out
}
