package profile

import (
	"errors"
	"slices"
	"strings"

	"crossrole/internal/word"
)

// maxNear is how many similar names an error offers.
const maxNear = 3

// unknown makes the error for a name that nobody defines.
func (s *Set) unknown(name string) error {
	e := &UnknownProfileError{Name: name, names: s.indexed().names}
	for _, path := range []string{s.files.Config, s.files.Credentials} {
		if path != "" {
			e.Files = append(e.Files, path)
		}
	}
	for _, d := range []*document{s.config, s.credentials} {
		if e.AlmostReason == "" {
			e.Almost, e.AlmostReason = s.almost(d, name)
		}
	}
	return e
}

// almost finds a header that was meant to define the profile.
func (s *Set) almost(d *document, name string) (Origin, string) {
	ix := s.indexed()
	for i, h := range ix.heads[d] {
		if h.kind != kindNone && h.kind != kindBroken {
			continue
		}
		_, rest := cutWord(h.text)
		if h.text == name || rest == name {
			return d.origin(ix.lines[d][i]), "[" + printable(h.text) + "]: " + h.reason
		}
	}
	return Origin{}, ""
}

// referredFrom adds to the error who named the unknown profile.
func referredFrom(err error, p *Profile, from Value) error {
	e, ok := errors.AsType[*UnknownProfileError](err)
	if !ok {
		return err
	}
	named := *e
	named.Where = from.Origin
	if p != nil {
		named.From = p.Name
	}
	return &named
}

// near gives the names that are the fewest edits away.
func near(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	limit := max(2, len(name)/3)
	if len(name) < 4 {
		limit = len(name) / 2
	}
	var found []candidate
	for _, n := range names {
		if d := nameDistance(name, n, limit); d <= limit {
			found = append(found, candidate{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range found[:min(maxNear, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// nameDistance counts the edits between two names, case aside. A name that
// contains the other one is near as well.
func nameDistance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) >= 3 && strings.Contains(b, a) || len(b) >= 3 && strings.Contains(a, b) {
		return min(limit, abs(len(a)-len(b)))
	}
	if abs(len(a)-len(b)) > limit || max(len(a), len(b)) > 200 {
		return limit + 1
	}
	return word.Distance(a, b)
}

func abs(n int) int { return max(n, -n) }
