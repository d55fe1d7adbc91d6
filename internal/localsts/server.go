// Package localsts is STS and the part of IAM that goes with it, for rehearsals and tests: one http.Handler that
// speaks the real wire protocol (query requests, XML answers, error documents, request ids), verifies every
// signature, and decides by the policies of the accounts it was given.
//
// Credentials it issues work at this server alone and until its end. It keeps no list of them: a session token is the
// session itself, encrypted under a key that the server made at its start.
package localsts

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Options are the knobs of a Server; the zero value behaves as AWS does.
type Options struct {
	// Now is the server's clock; nil is time.Now.
	Now func() time.Time
	// Skew is added to the clock, to play a server whose clock differs from the client's.
	Skew time.Duration
	// Lifetime, if not 0, is how long every session lives, whatever was asked for and granted: STS's floor is
	// 900 seconds, which is too long for a test of expiry.
	Lifetime time.Duration
	// Hook is called with every request that could be read, before its signature is checked. If it answers (see
	// Faults for hooks that do), nothing else happens.
	Hook Hook
	// Log is called after every request with what was decided, and why. It may be called in parallel.
	Log func(Call)
	// Panic is told of a bug in the server: what was recovered, and the stack.
	Panic func(v any, stack []byte)
}

// Server is the handler. It is safe for many callers at once.
type Server struct {
	world *World
	opts  Options
	mint  *mint
	calls callLog
}

// New makes a server of the world. The error is that of the system's random source.
func New(world *World, opts Options) (*Server, error) {
	m, err := newMint()
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Server{world: world, opts: opts, mint: m}, nil
}

// maxBody bounds a request: a SAML assertion of 100,000 characters, percent-encoded, fits.
const maxBody = 512 << 10

// call is one request on its way through the server.
type call struct {
	id      string
	service string // sts, iam or organizations
	action  string
	form    url.Values
	now     time.Time
	caller  *caller
	log     Call

	sourceIP, userAgent, region string
}

// action answers a call of which the caller is known (or which needs none).
type action struct {
	service  string
	unsigned bool // the token in the request is the proof
	write    bool // changes the world
	run      func(*Server, *call) ([]node, *apiError)
}

// actions is everything that is served, by name; no two services share one.
var actions = sync.OnceValue(allActions)

func allActions() map[string]action {
	m := iamActions()
	m["AssumeRole"] = action{service: "sts", run: (*Server).assumeRole}
	m["AssumeRoleWithWebIdentity"] = action{service: "sts", unsigned: true, run: (*Server).assumeRoleWithWebIdentity}
	m["AssumeRoleWithSAML"] = action{service: "sts", unsigned: true, run: (*Server).assumeRoleWithSAML}
	m["GetCallerIdentity"] = action{service: "sts", run: (*Server).getCallerIdentity}
	m["GetSessionToken"] = action{service: "sts", run: (*Server).getSessionToken}
	m["GetFederationToken"] = action{service: "sts", run: (*Server).getFederationToken}
	m["GetAccessKeyInfo"] = action{service: "sts", run: (*Server).getAccessKeyInfo}
	m["DecodeAuthorizationMessage"] = action{service: "sts", run: (*Server).decodeAuthorizationMessage}
	return m
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{id: requestID(), service: "sts", now: s.opts.Now().Add(s.opts.Skew), sourceIP: peer(r), userAgent: r.UserAgent()}
	defer func() { s.recovered(w, c, recover()) }()
	body, apiErr := readBody(w, r)
	if name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), orgTarget); ok && apiErr == nil {
		c.service, c.action = "organizations", clip(name)
		s.serveOrganizations(w, r, body, c)
		return
	}
	if apiErr == nil {
		c.form, apiErr = readForm(r, body)
	}
	if apiErr != nil {
		s.finish(w, c, nil, apiErr)
		return
	}
	c.action = clip(c.form.Get("Action"))
	if c.form.Get("Version") == iamVersion {
		c.service = "iam"
	}
	r.Form = c.form // for hooks: the body is read
	if s.opts.Hook != nil && s.opts.Hook(w, r, c.action) {
		s.record(c, &apiError{Code: "Hook"})
		return
	}
	result, apiErr := s.dispatch(r, body, c)
	s.finish(w, c, result, apiErr)
}

func (s *Server) dispatch(r *http.Request, body []byte, c *call) ([]node, *apiError) {
	if c.action == "" {
		return nil, badRequest("MissingAction", "The request must contain the parameter Action.")
	}
	a, ok := actions()[c.action]
	version := c.form.Get("Version")
	if !ok || a.service != c.service || version != stsVersion && version != iamVersion {
		return nil, badRequest("InvalidAction", "Could not find operation %s for version %s", c.action, orNone(clip(version)))
	}
	if a.write {
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
	} else {
		s.world.mu.RLock()
		defer s.world.mu.RUnlock()
	}
	if !a.unsigned {
		who, apiErr := s.authenticate(r, body, c)
		if apiErr != nil {
			return nil, apiErr
		}
		if c.service == "iam" && !who.mayCallIAM() {
			return nil, forbidden("InvalidClientTokenId", msgInvalidToken)
		}
		c.caller = who
		c.log.Caller = who.arn()
	}
	return a.run(s, c)
}

func (s *Server) finish(w http.ResponseWriter, c *call, result []node, apiErr *apiError) {
	s.record(c, apiErr)
	if apiErr != nil {
		writeError(w, c, apiErr)
		return
	}
	writeResult(w, c, result)
}

// recovered turns a bug into an InternalFailure: no stack and no half answer for the client.
func (s *Server) recovered(w http.ResponseWriter, c *call, v any) {
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // a recovered value, compared as net/http does
		panic(v)
	}
	if s.opts.Panic != nil {
		s.opts.Panic(v, debug.Stack())
	}
	s.finish(w, c, nil, internalFailure())
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *apiError) {
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		return nil, &apiError{http.StatusMethodNotAllowed, "InvalidAction", "The method must be GET or POST."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request is too large or broke off."}
	}
	return body, nil
}

// readForm reads the parameters of the query string and, in a POST, of the body.
func readForm(r *http.Request, body []byte) (url.Values, *apiError) {
	form, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("MalformedQueryString", "The query string contains a syntax error.")
	}
	if len(body) == 0 {
		return form, nil
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/x-www-form-urlencoded" {
		return nil, badRequest("MalformedInput", "The body must be application/x-www-form-urlencoded.")
	}
	posted, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, badRequest("MalformedQueryString", "The request body contains a syntax error.")
	}
	for k, vs := range posted {
		form[k] = append(form[k], vs...)
	}
	return form, nil
}

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "NO_VERSION_SPECIFIED"
	}
	return s
}
