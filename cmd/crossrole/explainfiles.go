package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
)

// maxPolicyFile is far above any quota of AWS, in bytes; a file that is longer was not meant.
const maxPolicyFile = 1 << 20

// open opens a file that the command line named; "-" is stdin. The name is for messages.
func (a *app) open(file string) (io.ReadCloser, string, error) {
	if file == "-" {
		return io.NopCloser(a.in), "stdin", nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, "", fileError("reading", file, err)
	}
	return in, file, nil
}

// fileError says which file could not be read or written, and why, in one line.
func fileError(doing, file string, err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return &namedFileError{Doing: doing, File: file, Err: err}
}

// namedFileError is a file of the command line that can't be used.
type namedFileError struct {
	Doing string
	File  string
	Err   error
}

func (e *namedFileError) Error() string {
	return e.Doing + " " + strconv.Quote(e.File) + ": " + e.Err.Error()
}
func (e *namedFileError) Unwrap() error { return e.Err }

// readPolicy reads and parses one policy.
func (a *app) readPolicy(file string) (*policy.Document, error) {
	data, err := a.readAll(file)
	if err != nil {
		return nil, err
	}
	return policy.Parse(data, file)
}

// readAll reads a policy's file, or stdin.
func (a *app) readAll(file string) ([]byte, error) {
	in, name, err := a.open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxPolicyFile+1))
	switch {
	case err != nil:
		return nil, fileError("reading", name, err)
	case len(data) > maxPolicyFile:
		return nil, fileError("reading", name, errors.New("it is larger than any policy"))
	}
	return data, nil
}

func fileStem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// policyFiles reads the policies that the flags name and keeps the first error.
type policyFiles struct {
	a   *app
	err error
}

func (r *policyFiles) one(file string) *policy.Document {
	if file == "" || r.err != nil {
		return nil
	}
	var doc *policy.Document
	doc, r.err = r.a.readPolicy(file)
	return doc
}

func (r *policyFiles) named(files []string) []policy.NamedPolicy {
	var out []policy.NamedPolicy
	for _, file := range files {
		out = append(out, policy.NamedPolicy{Name: fileStem(file), Document: r.one(file)})
	}
	return out
}

// levels groups [LEVEL=]FILE by level, in the order in which the levels appear.
func (r *policyFiles) levels(args []string, unnamed string) []policy.Level {
	var out []policy.Level
	at := map[string]int{}
	for _, arg := range args {
		level, file, ok := strings.Cut(arg, "=")
		if !ok {
			level, file = unnamed, arg
		}
		i, seen := at[level]
		if !seen {
			i = len(out)
			at[level] = i
			out = append(out, policy.Level{Name: level})
		}
		out[i].Policies = append(out[i].Policies, r.named([]string{file})...)
	}
	return out
}

// fileFinding decides the request that the flags describe. A policy file that is no JSON makes the answer "invalid".
func (f *explainFlags) fileFinding(a *app) (finding, error) {
	call, err := f.call()
	if err != nil {
		return finding{}, err
	}
	files := &policyFiles{a: a}
	req := f.policyRequest(files)
	var syntax *policy.SyntaxError
	switch {
	case errors.As(files.err, &syntax):
		return finding{Result: policy.InvalidResult(syntax), req: req}, nil
	case files.err != nil:
		return finding{}, files.err
	}
	if len(req.Actions) == 0 {
		req.Actions = actionsOf(call)
	}
	seen, err := a.snapshots(f.accounts, f.caller, f.over.RoleARN)
	var invalid *policy.InvalidError
	switch {
	case errors.As(err, &invalid):
		return finding{Result: policy.InvalidResult(err), req: req}, nil
	case err != nil:
		return finding{}, err
	}
	seen.missing(req)
	gaps := seen.fill(req)
	if req.Context, err = f.requestContext(a, req.Caller, call); err != nil {
		return finding{}, err
	}
	seen.tags(req.Context)
	found := decide(req, gaps)
	warnOfUnknownKeys(found.Result)
	seen.checkRole(&found, f.over.RoleARN)
	return found, nil
}

func (f *explainFlags) policyRequest(files *policyFiles) *policy.Request {
	req := &policy.Request{
		Caller:  policy.Caller{ARN: f.caller, PrincipalARN: f.principalARN, UniqueID: f.uniqueID},
		RoleARN: f.over.RoleARN, Actions: f.actions,
		Trust: files.one(f.trust), Identity: files.named(f.identity), Boundary: files.one(f.boundary), Session: files.one(f.sessionPolicy),
		SCPs: files.levels(f.scps, "scp"), RCPs: files.levels(f.rcps, "rcp"),
	}
	if f.organization != "" || f.management != "" {
		req.Organization = &policy.Organization{ID: f.organization, ManagementAccount: f.management}
	}
	return req
}

// call is what the flags say would be sent. It is not checked against STS's limits: the question is about policies.
func (f *explainFlags) call() (assume.Call, error) {
	o := &f.over
	call := assume.Call{ExternalID: o.ExternalID, SessionName: o.SessionName, SourceIdentity: o.SourceIdentity, TransitiveTags: o.TransitiveTags}
	for _, text := range o.Tags {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return call, usagef("--tag %s must be KEY=VALUE", strconv.Quote(text))
		}
		call.Tags = append(call.Tags, assume.Tag{Key: key, Value: value})
	}
	return call, nil
}

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

// requestContext is what the request carries: what AWS derives, what the call sends, and what --context adds or replaces.
func (f *explainFlags) requestContext(a *app, caller policy.Caller, call assume.Call) (policy.Context, error) {
	ctx := callContext(a.now(), caller, call, f.mfa)
	if f.organization != "" {
		ctx["aws:PrincipalOrgID"] = policy.One(f.organization)
	}
	given := map[string]policy.ContextValue{}
	for _, text := range f.context {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usagef("--context %s must be KEY=VALUE", strconv.Quote(text))
		}
		v, again := given[key]
		if again {
			v = policy.Many(append(v.Values, value)...)
		} else {
			v = policy.One(value)
		}
		given[key] = v
	}
	for key, value := range given {
		setKey(ctx, key, value)
	}
	return ctx, nil
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
			res.Warnings = append(res.Warnings, "a policy asks for "+strconv.Quote(key)+", which was not given and counts as absent here: give --context "+shellWord(key+"=VALUE"))
		}
	}
}

// writeJSON writes a document for programs: indented, nothing escaped for HTML.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
