package explain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"crossrole/internal/assume"
	"crossrole/internal/policy"
)

// Files opens what the command line names. An error names the file, and says why it can't be read.
type Files interface {
	// Read reads a policy whole.
	Read(file string) ([]byte, error)
	// Open opens an account snapshot.
	Open(file string) (io.ReadSeekCloser, error)
}

// Question is a request that files describe. The request carries what AWS itself would put into it, what the call sends, and
// Context.
type Question struct {
	Caller       policy.Caller
	RoleARN      string
	Actions      []string    // nil: what the call needs
	Call         assume.Call // what is sent; it is not held to STS's limits
	MFA          bool        // the request carries MFA
	Organization *policy.Organization
	Context      policy.Context // takes the place of what would be derived, whatever the spelling of a key
	Now          time.Time

	// Files; "" and nil for none. SCPs and RCPs are [LEVEL=]FILE.
	Trust, Boundary, Session string
	Identity, SCPs, RCPs     []string
	// Accounts are files with account snapshots.
	Accounts []string
}

// policyFiles reads the policies that the flags name and keeps the first error.
type policyFiles struct {
	from Files
	err  error
}

func (r *policyFiles) one(file string) *policy.Document {
	if file == "" || r.err != nil {
		return nil
	}
	var doc *policy.Document
	if data, err := r.from.Read(file); err != nil {
		r.err = err
	} else {
		doc, r.err = policy.Parse(data, file)
	}
	return doc
}

func (r *policyFiles) named(files []string) []policy.NamedPolicy {
	var out []policy.NamedPolicy
	for _, file := range files {
		out = append(out, policy.NamedPolicy{Name: stem(file), Document: r.one(file)})
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

func stem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// Answer decides the question. A policy that is no JSON, or that AWS would refuse, makes the answer "invalid". The error is
// one of the files', or a [*ConfigError] about a snapshot.
func (q *Question) Answer(from Files) (Finding, error) {
	files := &policyFiles{from: from}
	req := q.request(files)
	var syntax *policy.SyntaxError
	switch {
	case errors.As(files.err, &syntax):
		return Finding{Result: policy.InvalidResult(syntax), req: req}, nil
	case files.err != nil:
		return Finding{}, files.err
	}
	found, err := bySnapshots(from, q.Accounts, req, q.context)
	if err == nil {
		warnOfUnknownKeys(found.Result)
	}
	return found, err
}

func (q *Question) request(files *policyFiles) *policy.Request {
	req := &policy.Request{
		Caller: q.Caller, RoleARN: q.RoleARN, Actions: q.Actions, Organization: q.Organization,
		Trust: files.one(q.Trust), Identity: files.named(q.Identity), Boundary: files.one(q.Boundary), Session: files.one(q.Session),
		SCPs: files.levels(q.SCPs, "scp"), RCPs: files.levels(q.RCPs, "rcp"),
	}
	if len(req.Actions) == 0 {
		req.Actions = actionsOf(q.Call)
	}
	return req
}

// context is what the request carries.
func (q *Question) context(caller policy.Caller) policy.Context {
	ctx := callContext(q.Now, caller, q.Call, q.MFA)
	if q.Organization != nil && q.Organization.ID != "" {
		ctx["aws:PrincipalOrgID"] = policy.One(q.Organization.ID)
	}
	for key, value := range q.Context {
		setKey(ctx, key, value)
	}
	return ctx
}

// Request decides a whole request, as [policy.ParseRequest] reads it: its context is complete as it stands. name is what
// in is called in messages. The error is a [*ConfigError] for what is no request, or that of in.
func Request(in io.Reader, name string) (Finding, error) {
	req, err := policy.ParseRequest(in, name)
	var (
		syntax *policy.SyntaxError
		disk   *fs.PathError
	)
	switch {
	case errors.As(err, &disk):
		return Finding{}, &ConfigError{Why: fmt.Sprintf("reading %q: %s", name, disk.Err)}
	case errors.As(err, &syntax):
		return Finding{}, &ConfigError{Why: "reading the request: " + syntax.Error(), Advice: []string{"docs/explain.md has the shape of a request"}}
	case err != nil:
		return Finding{}, err
	}
	return Finding{Result: policy.Evaluate(req), req: req}, nil
}
