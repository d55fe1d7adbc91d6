package localsts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// orgTarget begins the X-Amz-Target header of the Organizations API, which speaks JSON.
const orgTarget = "AWSOrganizationsV20161128."

// orgActions are the reads of the Organizations API that tell which SCPs and RCPs bind an account.
var orgActions = map[string]func(*World, *call) (any, *apiError){
	"DescribeOrganization":             (*World).describeOrganization,
	"ListRoots":                        (*World).listRoots,
	"ListParents":                      (*World).listParents,
	"ListAccounts":                     (*World).listAccounts,
	"ListAccountsForParent":            (*World).listAccountsForParent,
	"ListOrganizationalUnitsForParent": (*World).listUnits,
	"ListPoliciesForTarget":            (*World).listOrgPolicies,
	"DescribePolicy":                   (*World).describeOrgPolicy,
}

func orgError(code, message string) *apiError { return &apiError{http.StatusBadRequest, code, message} }

// serveOrganizations answers one call of the Organizations API.
func (s *Server) serveOrganizations(w http.ResponseWriter, r *http.Request, body []byte, c *call) {
	result, apiErr := s.dispatchOrganizations(r, body, c)
	s.record(c, apiErr)
	status := http.StatusOK
	if apiErr != nil {
		status, result = apiErr.Status, map[string]string{"__type": apiErr.Code, "Message": apiErr.Message}
	}
	b, err := json.Marshal(result)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"__type":"ServiceException"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.1")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Date", c.now.UTC().Format(http.TimeFormat))
	h.Set("X-Amzn-Requestid", c.id)
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that went away is nobody's loss
}

func (s *Server) dispatchOrganizations(r *http.Request, body []byte, c *call) (any, *apiError) {
	run, ok := orgActions[c.action]
	if !ok {
		return nil, orgError("UnknownOperationException", "")
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, orgError("SerializationException", "The body is not JSON.")
	}
	c.form = url.Values{}
	for k, v := range in {
		if text, ok := v.(string); ok {
			c.form.Set(k, text)
		}
	}
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	who, apiErr := s.authenticate(r, body, c)
	if apiErr != nil {
		return nil, jsonCode(apiErr)
	}
	c.caller, c.log.Caller = who, who.arn()
	org := s.world.org
	if !org.member(who.account.ID) { // said to everybody: where there is no organization, nothing is hidden by asking for rights first
		return nil, orgError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
	}
	if apiErr := s.authorize(c, "organizations:"+c.action, "*", "", s.baseContext(c)); apiErr != nil {
		return nil, orgError("AccessDeniedException", apiErr.Message)
	}
	if who.account.ID != org.ManagementAccount && c.action != "DescribeOrganization" {
		return nil, orgError("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	return run(s.world, c)
}

// jsonCode gives a refused signature the code that JSON services use.
func jsonCode(e *apiError) *apiError {
	code := map[string]string{
		"InvalidClientTokenId": "UnrecognizedClientException", "SignatureDoesNotMatch": "InvalidSignatureException", "ExpiredToken": "ExpiredTokenException",
		"IncompleteSignature": "IncompleteSignatureException", "MissingAuthenticationToken": "MissingAuthenticationTokenException",
	}[e.Code]
	return orgError(or(code, e.Code), e.Message)
}

// identify gives ids to the units that have none, as AWS's look.
func (o *Organization) identify() {
	if o.Root.ID == "" {
		o.Root.ID = "r-root"
	}
	if o.Root.Name == "" {
		o.Root.Name = "Root"
	}
	var walk func(u *OrgUnit, path string)
	walk = func(u *OrgUnit, path string) {
		for i := range u.Units {
			k := &u.Units[i]
			at := path + "/" + k.Name
			if k.ID == "" {
				k.ID = "ou-root-" + shortHash(at+strconv.Itoa(i))
			}
			walk(k, at)
		}
	}
	walk(&o.Root, "")
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

func (o *Organization) arn(partition, resource string) string {
	return "arn:" + partition + ":organizations::" + o.ManagementAccount + ":" + resource
}

func (w *World) describeOrganization(c *call) (any, *apiError) {
	o := w.org
	return map[string]any{"Organization": map[string]any{
		"Id": o.ID, "Arn": o.arn(c.caller.account.Partition, "organization/"+o.ID), "FeatureSet": "ALL", "MasterAccountId": o.ManagementAccount,
		"MasterAccountArn": o.arn(c.caller.account.Partition, "account/"+o.ID+"/"+o.ManagementAccount),
	}}, nil
}

func (w *World) listRoots(c *call) (any, *apiError) {
	return map[string]any{"Roots": []map[string]any{{
		"Id": w.org.Root.ID, "Arn": w.org.arn(c.caller.account.Partition, "root/"+w.org.ID+"/"+w.org.Root.ID), "Name": w.org.Root.Name,
		"PolicyTypes": []map[string]string{{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}, {"Type": "RESOURCE_CONTROL_POLICY", "Status": "ENABLED"}},
	}}}, nil
}

// unit finds a unit by its id, and its parent.
func (o *Organization) unit(id string) (u, parent *OrgUnit) {
	var walk func(x, above *OrgUnit) (*OrgUnit, *OrgUnit)
	walk = func(x, above *OrgUnit) (*OrgUnit, *OrgUnit) {
		if x.ID == id {
			return x, above
		}
		for i := range x.Units {
			if u, p := walk(&x.Units[i], x); u != nil {
				return u, p
			}
		}
		return nil, nil
	}
	return walk(&o.Root, nil)
}

func (w *World) listParents(c *call) (any, *apiError) {
	child := c.form.Get("ChildId")
	var parent *OrgUnit
	if p, ok := w.org.find(child); ok {
		parent = p.units[len(p.units)-1]
	} else if child == w.org.ManagementAccount {
		parent = &w.org.Root
	} else if _, parent = w.org.unit(child); parent == nil {
		return nil, orgError("ChildNotFoundException", "You specified an account or organizational unit that doesn't exist.")
	}
	kind := "ORGANIZATIONAL_UNIT"
	if parent == &w.org.Root {
		kind = "ROOT"
	}
	return map[string]any{"Parents": []map[string]string{{"Id": parent.ID, "Type": kind}}}, nil
}

func (w *World) orgAccount(c *call, id string) map[string]string {
	return map[string]string{
		"Id": id, "Arn": w.org.arn(c.caller.account.Partition, "account/"+w.org.ID+"/"+id), "Name": "account-" + id, "Email": id + "@example.com",
		"Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": "CREATED",
	}
}

func (w *World) listAccounts(c *call) (any, *apiError) {
	list := []map[string]string{}
	seen := false
	var walk func(u *OrgUnit)
	walk = func(u *OrgUnit) {
		for _, a := range u.Accounts {
			seen = seen || a.ID == w.org.ManagementAccount
			list = append(list, w.orgAccount(c, a.ID))
		}
		for i := range u.Units {
			walk(&u.Units[i])
		}
	}
	walk(&w.org.Root)
	if !seen {
		list = append(list, w.orgAccount(c, w.org.ManagementAccount))
	}
	return map[string]any{"Accounts": list}, nil
}

func (w *World) parentUnit(c *call) (*OrgUnit, *apiError) {
	u, _ := w.org.unit(c.form.Get("ParentId"))
	if u == nil {
		return nil, orgError("ParentNotFoundException", "You specified parent that doesn't exist.")
	}
	return u, nil
}

func (w *World) listAccountsForParent(c *call) (any, *apiError) {
	u, apiErr := w.parentUnit(c)
	if apiErr != nil {
		return nil, apiErr
	}
	list := []map[string]string{}
	for _, a := range u.Accounts {
		list = append(list, w.orgAccount(c, a.ID))
	}
	return map[string]any{"Accounts": list}, nil
}

func (w *World) listUnits(c *call) (any, *apiError) {
	u, apiErr := w.parentUnit(c)
	if apiErr != nil {
		return nil, apiErr
	}
	list := []map[string]string{}
	for i := range u.Units {
		k := &u.Units[i]
		list = append(list, map[string]string{"Id": k.ID, "Arn": w.org.arn(c.caller.account.Partition, "ou/"+w.org.ID+"/"+k.ID), "Name": k.Name})
	}
	return map[string]any{"OrganizationalUnits": list}, nil
}

// orgPolicyID is the id of a policy, made of what it says.
func orgPolicyID(p OrgPolicy) string {
	if p == fullAWSAccess {
		return "p-FullAWSAccess"
	}
	return "p-" + shortHash(p.Name+string(p.Document))
}

func (w *World) policySummary(c *call, p OrgPolicy, kind string) map[string]any {
	id := orgPolicyID(p)
	return map[string]any{
		"Id": id, "Name": p.Name, "Type": kind, "AwsManaged": p == fullAWSAccess,
		"Arn": w.org.arn(c.caller.account.Partition, "policy/"+w.org.ID+"/"+strings.ToLower(kind)+"/"+id),
	}
}

var orgKinds = map[string]orgPolicies{"SERVICE_CONTROL_POLICY": scps, "RESOURCE_CONTROL_POLICY": rcps}

func (w *World) listOrgPolicies(c *call) (any, *apiError) {
	kind := c.form.Get("Filter")
	which := orgKinds[kind]
	if which == nil {
		return nil, orgError("InvalidInputException", "You specified an invalid value.")
	}
	target := c.form.Get("TargetId")
	s, r := w.org.lists(&w.org.Root, target)
	if s == nil {
		if target != w.org.ManagementAccount {
			return nil, orgError("TargetNotFoundException", "You specified a target that doesn't exist.")
		}
		s, r = new([]OrgPolicy), new([]OrgPolicy)
	}
	list := []map[string]any{}
	for _, p := range which(*s, *r) {
		list = append(list, w.policySummary(c, p, kind))
	}
	return map[string]any{"Policies": list}, nil
}

func (w *World) describeOrgPolicy(c *call) (any, *apiError) {
	id := c.form.Get("PolicyId")
	for kind, which := range orgKinds {
		if p, ok := w.org.Root.policy(id, which); ok {
			return map[string]any{"Policy": map[string]any{"PolicySummary": w.policySummary(c, p, kind), "Content": string(p.Document)}}, nil
		}
	}
	return nil, orgError("PolicyNotFoundException", "You specified a policy that doesn't exist.")
}

func (u *OrgUnit) policy(id string, which orgPolicies) (OrgPolicy, bool) {
	lists := [][]OrgPolicy{which(u.SCPs, u.RCPs)}
	for _, a := range u.Accounts {
		lists = append(lists, which(a.SCPs, a.RCPs))
	}
	for _, list := range lists {
		for _, p := range list {
			if orgPolicyID(p) == id {
				return p, true
			}
		}
	}
	for i := range u.Units {
		if p, ok := u.Units[i].policy(id, which); ok {
			return p, true
		}
	}
	return OrgPolicy{}, false
}
