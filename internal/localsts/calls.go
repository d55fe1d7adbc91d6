package localsts

import (
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Call is what the server remembers of a request.
type Call struct {
	Time      time.Time
	RequestID string
	Action    string
	Caller    string     // the caller's ARN; empty if unknown
	Params    url.Values // without tokens and codes
	Code      string     // the error's code; empty if the call succeeded, "Hook" if a hook answered
	Message   string     // the error's message
	Why       []string   // the decisions, a line each; with Options.Log their traces too. The client is not told
	Encoded   string     // with Options.Log, the last denial as DecodeAuthorizationMessage takes it
}

// maxCalls bounds what is remembered in full; the counts go on.
const maxCalls = 4096

type callLog struct {
	mu     sync.Mutex
	calls  []Call
	counts map[string]int
}

// Calls are the latest requests (4,096 at most), oldest first.
func (s *Server) Calls() []Call {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return slices.Clone(s.calls.calls)
}

// Count is how many requests for an action were received, refused ones included.
func (s *Server) Count(action string) int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return s.calls.counts[action]
}

// Counts are all the counts by action.
func (s *Server) Counts() map[string]int {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	return maps.Clone(s.calls.counts)
}

func (s *Server) record(c *call, e *apiError) {
	l := c.log
	l.Time, l.RequestID, l.Action, l.Params = c.now, c.id, c.action, withoutSecrets(c.form)
	if e != nil {
		l.Code, l.Message = e.Code, e.Message
	}
	s.calls.add(l)
	if s.opts.Log != nil {
		s.opts.Log(l)
	}
}

func (l *callLog) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	if actions()[c.Action].run == nil && orgActions[c.Action] == nil {
		l.counts["other"]++ // names that a client made up must not fill the memory
	} else {
		l.counts[c.Action]++
	}
	if len(l.calls) >= maxCalls {
		l.calls = append(l.calls[:0], l.calls[maxCalls/2:]...)
	}
	l.calls = append(l.calls, c)
}

// secretParams are parameters that are credentials themselves.
var secretParams = []string{"TokenCode", "WebIdentityToken", "SAMLAssertion", "X-Amz-Security-Token", "X-Amz-Signature", "EncodedMessage"}

func withoutSecrets(form url.Values) url.Values {
	form = maps.Clone(form)
	for _, k := range secretParams {
		if form.Has(k) {
			form.Set(k, "***")
		}
	}
	return form
}
