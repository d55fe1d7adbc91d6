package credserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ServeHTTP answers one request. The checks go from what tells an attacker least:
// nothing about tokens or paths is said to a request that a web page could make,
// and nothing about paths to one without the token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, refusal := s.admit(r)
	if refusal != nil {
		s.log.Info("request refused", "code", refusal.Code, "method", r.Method, "host", r.Host, "path", r.URL.Path)
		if refusal.Status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodGet)
		}
		// Nothing more is read from who was refused.
		w.Header().Set("Connection", "close")
		writeError(w, refusal)
		return
	}
	vouchFor(r.Context())
	creds, err := s.sources[name].get(r.Context())
	if err != nil {
		writeError(w, asError(err))
		return
	}
	writeCredentials(w, creds)
}

// admit decides whether a request is answered, and for which profile.
func (s *Server) admit(r *http.Request) (profile string, refusal *Error) {
	switch {
	case !s.hostAllowed(r):
		return "", refuse(http.StatusForbidden, "HostNotAllowed", "the Host header does not name this endpoint")
	case fromBrowser(r.Header):
		return "", refuse(http.StatusForbidden, "BrowserNotAllowed", "requests of web pages are not answered")
	case r.Method != http.MethodGet:
		return "", refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "only GET is answered")
	case !s.tokenMatches(r.Header):
		return "", refuse(http.StatusForbidden, "InvalidAuthorizationToken", "the Authorization header does not hold this endpoint's token")
	case r.ContentLength != 0:
		return "", refuse(http.StatusRequestEntityTooLarge, "BodyNotAllowed", "a request has no body")
	}
	name, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if _, ok := s.sources[name]; err != nil || !ok {
		return "", refuse(http.StatusNotFound, "ProfileNotServed", "no profile is served at this path")
	}
	return name, nil
}

func refuse(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// hostAllowed keeps out a web page whose own name was pointed at 127.0.0.1
// (DNS rebinding): its requests still carry that name.
func (s *Server) hostAllowed(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return false
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil { // no port: the one of http
		host, port = strings.Trim(r.Host, "[]"), "80"
	}
	return port == strconv.Itoa(local.Port) &&
		slices.ContainsFunc(s.hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// fromBrowser knows a request by the headers that scripts can't take away and
// that no SDK sends.
func fromBrowser(h http.Header) bool {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

// tokenMatches compares digests, so that neither the place of the first wrong
// character nor the length shows in the time taken.
func (s *Server) tokenMatches(h http.Header) bool {
	given := h["Authorization"]
	if len(given) != 1 {
		return false
	}
	sum := sha256.Sum256([]byte(given[0]))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1
}
