package localsts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigTime      = "20060102T150405Z"
	maxSkew      = 15 * time.Minute
)

// signature is what a request says of its signature, in the Authorization header or in a presigned query.
type signature struct {
	keyID, date, region, service string
	headers                      []string
	value                        string
	when                         time.Time
	token                        string
	expires                      time.Duration // of a presigned request; 0 otherwise
	presigned                    bool
}

// parseSignature reads the signature of a request without judging it.
func parseSignature(r *http.Request) (*signature, *apiError) {
	auth := r.Header.Get("Authorization")
	q := r.URL.Query()
	switch {
	case auth != "":
		return parseAuthHeader(r, auth)
	case q.Get("X-Amz-Algorithm") != "" || q.Get("X-Amz-Signature") != "":
		return parsePresigned(q)
	}
	return nil, forbidden("MissingAuthenticationToken", msgMissingToken)
}

func parseAuthHeader(r *http.Request, auth string) (*signature, *apiError) {
	alg, rest, _ := strings.Cut(auth, " ")
	if alg != sigAlgorithm {
		return nil, badRequest("IncompleteSignature", "Unsupported AWS 'algorithm': '%s'.", clip(alg))
	}
	f := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		f[k] = v
	}
	stamp := r.Header.Get("X-Amz-Date")
	if stamp == "" {
		stamp = httpDate(r.Header.Get("Date"))
	}
	var missing []string
	for _, k := range []string{"Credential", "Signature", "SignedHeaders"} {
		if f[k] == "" {
			missing = append(missing, "Authorization header requires '"+k+"' parameter.")
		}
	}
	if stamp == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if missing != nil {
		return nil, badRequest("IncompleteSignature", "%s", strings.Join(missing, " "))
	}
	s := &signature{value: f["Signature"], headers: strings.Split(f["SignedHeaders"], ";"), token: r.Header.Get("X-Amz-Security-Token")}
	return s, s.scope(f["Credential"], stamp)
}

func parsePresigned(q url.Values) (*signature, *apiError) {
	if a := q.Get("X-Amz-Algorithm"); a != sigAlgorithm {
		return nil, badRequest("IncompleteSignature", "Unsupported AWS 'algorithm': '%s'.", clip(a))
	}
	var missing []string
	for _, k := range []string{"X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if q.Get(k) == "" {
			missing = append(missing, "AWS query-string parameters must include '"+k+"'.")
		}
	}
	if missing != nil {
		return nil, badRequest("IncompleteSignature", "%s", strings.Join(missing, " "))
	}
	s := &signature{
		value: q.Get("X-Amz-Signature"), headers: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"),
		token: q.Get("X-Amz-Security-Token"), presigned: true, expires: maxSkew,
	}
	if e := q.Get("X-Amz-Expires"); e != "" {
		n, err := strconv.Atoi(e)
		if err != nil || n < 1 || n > 604800 {
			return nil, badRequest("IncompleteSignature", "X-Amz-Expires must be a number between 1 and 604800.")
		}
		s.expires = min(time.Duration(n)*time.Second, maxSkew)
	}
	return s, s.scope(q.Get("X-Amz-Credential"), q.Get("X-Amz-Date"))
}

// scope reads KEY/DATE/REGION/SERVICE/aws4_request and the time stamp.
func (s *signature) scope(credential, stamp string) *apiError {
	f := strings.Split(credential, "/")
	if len(f) != 5 {
		return badRequest("IncompleteSignature",
			"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", clip(credential))
	}
	when, err := time.Parse(sigTime, stamp)
	if err != nil {
		return badRequest("IncompleteSignature", "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(stamp))
	}
	s.keyID, s.date, s.region, s.service, s.when = f[0], f[1], f[2], f[3], when
	if f[4] != "aws4_request" {
		return forbidden("SignatureDoesNotMatch", "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.", clip(f[4]))
	}
	return nil
}

// check judges everything but the key: time, scope, and that nothing that matters is left unsigned.
func (s *signature) check(r *http.Request, service string, now time.Time) *apiError {
	stamp := s.when.Format(sigTime)
	window := maxSkew
	if s.presigned {
		window = s.expires
	}
	if now.Sub(s.when) > window {
		return forbidden("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - %s)",
			stamp, now.Add(-window).Format(sigTime), now.Format(sigTime), minutes(window))
	}
	if s.when.Sub(now) > maxSkew {
		return forbidden("SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + 15 min.)",
			stamp, now.Add(maxSkew).Format(sigTime), now.Format(sigTime))
	}
	if s.date != stamp[:8] {
		return forbidden("SignatureDoesNotMatch",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", clip(s.date), stamp[:8], stamp)
	}
	if s.service != service {
		return forbidden("SignatureDoesNotMatch", "Credential should be scoped to correct service: '%s'. ", service)
	}
	if !slices.Contains(s.headers, "host") {
		return forbidden("SignatureDoesNotMatch", msgHostNotSigned)
	}
	for name := range r.Header {
		if n := strings.ToLower(name); strings.HasPrefix(n, "x-amz-") && !unsignedAllowed[n] && !slices.Contains(s.headers, n) {
			return forbidden("SignatureDoesNotMatch", "'%s' must be a 'SignedHeader' in the AWS Authorization.", clip(n))
		}
	}
	return nil
}

// unsignedAllowed are x-amz-* headers that some SDKs leave out of the signature.
var unsignedAllowed = map[string]bool{"x-amz-content-sha256": true, "x-amz-user-agent": true, "x-amz-security-token": true}

// verify signs the request again with the secret and compares. The body's own hash is used, whatever
// X-Amz-Content-Sha256 says, so that no body can travel under another's signature.
func (s *signature) verify(r *http.Request, body []byte, secret string) bool {
	stamp := s.when.Format(sigTime)
	scope := s.date + "/" + s.region + "/" + s.service + "/aws4_request"
	toSign := sigAlgorithm + "\n" + stamp + "\n" + scope + "\n" + hexSum([]byte(s.canonical(r, body)))
	key := mac([]byte("AWS4"+secret), s.date)
	for _, part := range []string{s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	return hmac.Equal([]byte(hex.EncodeToString(mac(key, toSign))), []byte(s.value))
}

func (s *signature) canonical(r *http.Request, body []byte) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + uriEncode(path, true) + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, h := range s.headers {
		b.WriteString(h + ":" + headerValue(r, h) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + hexSum(body))
	return b.String()
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	vs := slices.Clone(r.Header.Values(name))
	for i, v := range vs {
		vs[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(vs, ",")
}

func canonicalQuery(q url.Values) string {
	var pairs []string
	for k, vs := range q {
		if k == "X-Amz-Signature" {
			continue
		}
		for _, v := range vs {
			pairs = append(pairs, uriEncode(k, false)+"="+uriEncode(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// uriEncode percent-encodes all but the unreserved characters of RFC 3986.
func uriEncode(s string, keepSlash bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 || keepSlash && c == '/' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func httpDate(v string) string {
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC().Format(sigTime)
	}
	return v
}

func minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d/time.Minute)) + " min."
	}
	return strconv.Itoa(int(d/time.Second)) + " sec."
}

// clip keeps what a hostile client sent from filling an error message.
func clip(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
