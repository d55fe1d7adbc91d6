package localsts

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"

	"crossrole/internal/policy"
)

// IAM's default quotas that a rehearsal is likely to meet.
const (
	maxKeysPerUser     = 2
	maxAttached        = 10
	maxVersions        = 5
	maxTags            = 50
	minRoleSession     = 3600
	maxRoleSession     = 43200
	maxPolicyDocument  = 131072
	maxManagedDocument = 6144
)

// submitted reads a policy document and refuses what AWS refuses.
func submitted(c *call, param string, kind policy.Kind) (Document, *apiError) {
	p := &params{form: c.form}
	d := Document(p.need(param, rule{min: 1, max: maxPolicyDocument, pattern: rePolicy}))
	if err := p.err(); err != nil {
		return "", err
	}
	return d, refusal(kind, d)
}

// size counts a document's characters as quotas do: without white space.
func (s *Server) size(d Document) int { return s.world.docs.get(d, "").Size }

func putInline(s *Server, c *call, e entity) ([]node, *apiError) {
	p := &params{form: c.form}
	name, apiErr := p.iamName("PolicyName", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	doc, apiErr := submitted(c, "PolicyDocument", policy.Identity)
	if apiErr != nil {
		return nil, apiErr
	}
	rest := slices.DeleteFunc(slices.Clone(*e.inline), func(x InlinePolicy) bool { return x.Name == name })
	total := s.size(doc)
	for _, x := range rest {
		total += s.size(x.Document)
	}
	if total > e.room {
		return nil, conflict("LimitExceeded", "Maximum policy size of %d bytes exceeded for %s", e.room, e.shown())
	}
	*e.inline = append(rest, InlinePolicy{name, doc})
	return nil, nil
}

func deleteInline(_ *Server, c *call, e entity) ([]node, *apiError) {
	p := &params{form: c.form}
	name, apiErr := p.iamName("PolicyName", 128)
	if apiErr != nil {
		return nil, apiErr
	}
	rest := slices.DeleteFunc(slices.Clone(*e.inline), func(x InlinePolicy) bool { return x.Name == name })
	if len(rest) == len(*e.inline) {
		return nil, notFound(strings.ToLower(e.kind)+" policy", name)
	}
	*e.inline = rest
	return nil, nil
}

func policyARN(c *call) (string, *apiError) {
	p := &params{form: c.form}
	arn := p.need("PolicyArn", ruleARN)
	if err := p.err(); err != nil {
		return "", err
	}
	if a, ok := splitARN(arn); !ok || a.service != "iam" || !strings.HasPrefix(a.resource, "policy/") {
		return "", badRequest("InvalidInput", "ARN %s is not valid.", clip(arn))
	}
	return arn, nil
}

func attach(_ *Server, c *call, e entity) ([]node, *apiError) {
	arn, apiErr := policyARN(c)
	if apiErr != nil {
		return nil, apiErr
	}
	pol := c.caller.account.policy(arn)
	if pol == nil {
		return nil, noSuchEntity("Policy %s does not exist or is not attachable.", arn)
	}
	if slices.ContainsFunc(*e.attached, func(a Attached) bool { return a.ARN == arn }) {
		return nil, nil
	}
	if len(*e.attached) >= maxAttached {
		return nil, conflict("LimitExceeded", "Cannot exceed quota for PoliciesPer%s: %d", e.kind, maxAttached)
	}
	*e.attached = append(*e.attached, Attached{pol.Name, arn})
	return nil, nil
}

func detach(_ *Server, c *call, e entity) ([]node, *apiError) {
	arn, apiErr := policyARN(c)
	if apiErr != nil {
		return nil, apiErr
	}
	rest := slices.DeleteFunc(slices.Clone(*e.attached), func(a Attached) bool { return a.ARN == arn })
	if len(rest) == len(*e.attached) {
		return nil, noSuchEntity("Policy %s was not found.", arn)
	}
	*e.attached = rest
	return nil, nil
}

func tagEntity(_ *Server, c *call, e entity) ([]node, *apiError) {
	p := &params{form: c.form}
	add := p.tags()
	if err := p.err(); err != nil {
		return nil, err
	}
	tags := *e.tags
	for _, t := range add {
		tags = append(withoutTag(tags, t.Key), t)
	}
	if len(tags) > maxTags {
		return nil, conflict("LimitExceeded", "The number of tags has reached the maximum limit.")
	}
	*e.tags = tags
	return nil, nil
}

func untagEntity(_ *Server, c *call, e entity) ([]node, *apiError) {
	p := &params{form: c.form}
	for _, k := range p.list("TagKeys", "") {
		*e.tags = withoutTag(*e.tags, k)
	}
	return nil, nil
}

func (s *Server) boundaryParam(c *call, required bool) (*Boundary, *apiError) {
	p := &params{form: c.form}
	if !required && !c.form.Has("PermissionsBoundary") {
		return nil, nil
	}
	arn := p.need("PermissionsBoundary", ruleARN)
	if err := p.err(); err != nil {
		return nil, err
	}
	if c.caller.account.policy(arn) == nil {
		return nil, noSuchEntity("Scope ARN: %s does not exist or is not attachable.", clip(arn))
	}
	return &Boundary{"PermissionsBoundaryPolicy", arn}, nil
}

func putBoundary(s *Server, c *call, e entity) ([]node, *apiError) {
	b, apiErr := s.boundaryParam(c, true)
	if apiErr == nil {
		*e.boundary = b
	}
	return nil, apiErr
}

func deleteBoundary(_ *Server, _ *call, e entity) ([]node, *apiError) {
	if *e.boundary == nil {
		return nil, noSuchEntity("Scope not found for %s", e.shown())
	}
	*e.boundary = nil
	return nil, nil
}

func createAccessKey(s *Server, c *call, e entity) ([]node, *apiError) {
	u := c.caller.account.users[strings.ToLower(e.name)]
	if len(u.AccessKeys) >= maxKeysPerUser {
		return nil, conflict("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser)
	}
	k, apiErr := newKey(c)
	if apiErr != nil {
		return nil, apiErr
	}
	u.AccessKeys = append(u.AccessKeys, k)
	s.world.rekey(c.caller.account, u)
	return []node{el("AccessKey", tx("UserName", u.Name), tx("AccessKeyId", k.ID), tx("Status", "Active"),
		tx("SecretAccessKey", string(k.Secret)), date("CreateDate", k.Created))}, nil
}

func newKey(c *call) (AccessKey, *apiError) {
	seed := make([]byte, 46)
	if _, err := rand.Read(seed); err != nil {
		return AccessKey{}, internalFailure()
	}
	return AccessKey{
		ID:      uniqueID("AKIA", c.caller.account.ID, seed[:16]),
		Secret:  Secret(base64.StdEncoding.EncodeToString(seed[16:])),
		Created: c.now,
	}, nil
}

// rekey points the index at the user's keys, after their slice has moved or shrunk.
func (w *World) rekey(x *accountIndex, u *User) {
	for id, o := range w.keys {
		if o.user == u {
			delete(w.keys, id)
		}
	}
	w.pointKeys(x, u)
}

// pointKeys finds the user's keys by their ids, where they are now.
func (w *World) pointKeys(x *accountIndex, u *User) {
	for i := range u.AccessKeys {
		w.keys[u.AccessKeys[i].ID] = keyOwner{x, u, &u.AccessKeys[i]}
	}
}

// keyOf finds the user's key that AccessKeyId names.
func keyOf(c *call, e entity) (*User, int, *apiError) {
	p := &params{form: c.form}
	id := p.need("AccessKeyId", rule{min: 16, max: 128, pattern: reKeyID})
	if err := p.err(); err != nil {
		return nil, 0, err
	}
	u := c.caller.account.users[strings.ToLower(e.name)]
	i := slices.IndexFunc(u.AccessKeys, func(k AccessKey) bool { return k.ID == id })
	if i < 0 {
		return nil, 0, noSuchEntity("The Access Key with id %s cannot be found.", id)
	}
	return u, i, nil
}

func updateAccessKey(_ *Server, c *call, e entity) ([]node, *apiError) {
	u, i, apiErr := keyOf(c, e)
	if apiErr != nil {
		return nil, apiErr
	}
	status := c.form.Get("Status")
	if status != "Active" && status != "Inactive" {
		return nil, validationError("1 validation error detected: Value '%s' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]", clip(status))
	}
	u.AccessKeys[i].Inactive = status == "Inactive"
	return nil, nil
}

func deleteAccessKey(s *Server, c *call, e entity) ([]node, *apiError) {
	u, i, apiErr := keyOf(c, e)
	if apiErr != nil {
		return nil, apiErr
	}
	u.AccessKeys = slices.Delete(slices.Clone(u.AccessKeys), i, i+1)
	s.world.rekey(c.caller.account, u)
	return nil, nil
}
