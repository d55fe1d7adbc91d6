package explain

import (
	"strconv"
	"strings"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
	"crossrole/internal/word"
)

// actionsOf lists what a call needs to be allowed. Source: STS API reference, AssumeRole.
func actionsOf(c assume.Call) []string {
	actions := []string{policy.ActionAssumeRole}
	if len(c.Tags) > 0 {
		actions = append(actions, policy.ActionTagSession)
	}
	if c.SourceIdentity != "" {
		actions = append(actions, policy.ActionSetSourceIdentity)
	}
	return actions
}

// setKey replaces a key whatever its spelling was.
func setKey(ctx policy.Context, key string, value policy.ContextValue) {
	for have := range ctx {
		if strings.EqualFold(have, key) {
			delete(ctx, have)
		}
	}
	ctx[key] = value
}

// callContext is what AWS derives from the caller and from the parameters of a call. MFA is absent for long-term keys and
// "false" for the session of a role. Source: IAM user guide, global condition keys; STS condition keys.
func callContext(now time.Time, caller policy.Caller, c assume.Call, mfa bool) policy.Context {
	ctx := policy.DeriveContext(caller)
	ctx["aws:CurrentTime"] = policy.One(now.UTC().Format(time.RFC3339))
	ctx["aws:EpochTime"] = policy.One(strconv.FormatInt(now.Unix(), 10))
	ctx["aws:SecureTransport"] = policy.One("true")
	ctx["aws:ViaAWSService"] = policy.One("false")
	if kind, ok := ctx.Get("aws:PrincipalType"); mfa || ok && kind.Values[0] == "AssumedRole" {
		ctx["aws:MultiFactorAuthPresent"] = policy.One(strconv.FormatBool(mfa))
	}
	for key, value := range map[string]string{
		"sts:ExternalId": c.ExternalID, "sts:RoleSessionName": c.SessionName, "sts:SourceIdentity": c.SourceIdentity,
	} {
		if value != "" {
			ctx[key] = policy.One(value)
		}
	}
	var keys []string
	for _, t := range c.Tags {
		ctx["aws:RequestTag/"+t.Key] = policy.One(t.Value)
		keys = append(keys, t.Key)
	}
	if len(keys) > 0 {
		ctx["aws:TagKeys"] = policy.Many(keys...)
	}
	if len(c.TransitiveTags) > 0 {
		ctx["sts:TransitiveTagKeys"] = policy.Many(c.TransitiveTags...)
	}
	return ctx
}

// givenOnly are the keys that a real request carries and nobody can derive from ARNs; a trailing "/" stands for a family.
// Source: IAM user guide, global condition keys.
var givenOnly = []string{
	"aws:SourceIp", "aws:VpcSourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalTag/",
	"aws:ResourceTag/", "iam:ResourceTag/", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:UserAgent", "aws:userid", "aws:TokenIssueTime",
	"aws:MultiFactorAuthAge", "aws:RequestedRegion", "aws:SourceIdentity", "aws:FederatedProvider", "aws:Referer", "aws:Ec2InstanceSourceVpc",
	"aws:Ec2InstanceSourcePrivateIPv4", "ec2:SourceInstanceARN", "sts:RoleSessionName", "sts:DurationSeconds",
}

// unknowable tells a key whose absence may only mean that nobody told us.
func unknowable(key string) bool {
	for _, known := range givenOnly {
		family, rest := known, ""
		if strings.HasSuffix(known, "/") {
			family, rest = known[:len(known)-1], "/"
		}
		name, _, found := strings.Cut(key, "/")
		if strings.EqualFold(name, family) && found == (rest != "") {
			return true
		}
	}
	return false
}

// warnOfUnknownKeys names the keys that a policy asks for and the request was built without.
func warnOfUnknownKeys(res *policy.Result) {
	seen := map[string]bool{}
	for _, step := range res.Trace {
		for _, check := range step.Checks {
			key := check.Key
			if check.Request != nil || !unknowable(key) || seen[strings.ToLower(key)] {
				continue
			}
			seen[strings.ToLower(key)] = true
			res.Warnings = append(res.Warnings, "a policy asks for "+strconv.Quote(key)+", which was not given and counts as absent here: give --context "+word.Shell(key+"=VALUE"))
		}
	}
}
