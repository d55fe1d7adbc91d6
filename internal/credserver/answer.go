package credserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const hidden = "credentials(hidden)"

// Credentials is what one answer carries. It hides its values in every way of
// printing; only an answer holds them.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	Token           string
	// Expiration is zero for keys that do not expire.
	Expiration time.Time
	AccountID  string
	RoleARN    string
}

// String hides the values.
func (Credentials) String() string { return hidden }

// GoString hides the values.
func (Credentials) GoString() string { return hidden }

// LogValue hides the values.
func (Credentials) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON hides the values.
func (Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// Format hides the values from every verb, %v of a struct around it included.
func (Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// lastsAtLeast is what an answer says of keys that do not expire: SDKs want a
// time, and ask again before it.
const lastsAtLeast = 12 * time.Hour

// body is the container-credentials contract. Token and Expiration are always
// there: botocore and the JavaScript SDK fail without them.
type body struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
	AccountID       string `json:"AccountId,omitempty"`
	RoleARN         string `json:"RoleArn,omitempty"`
}

func writeCredentials(w http.ResponseWriter, c Credentials) {
	expires := c.Expiration
	if expires.IsZero() {
		expires = time.Now().Add(lastsAtLeast)
	}
	write(w, http.StatusOK, body{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, Token: c.Token,
		Expiration: expires.UTC().Format(time.RFC3339), AccountID: c.AccountID, RoleARN: c.RoleARN,
	})
}

// An Error is an answer other than credentials. A Provider may return one to
// choose its status and code; other errors are answered with 502, or 504 when
// the time limit was what ended them.
type Error struct {
	Status        int // of HTTP
	Code, Message string
	Err           error // what went wrong; not part of the answer
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives what went wrong.
func (e *Error) Unwrap() error { return e.Err }

func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{http.StatusGatewayTimeout, "RefreshTimedOut", err.Error(), err}
	default:
		return &Error{http.StatusBadGateway, "RefreshFailed", err.Error(), err}
	}
}

func writeError(w http.ResponseWriter, e *Error) {
	write(w, e.Status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{e.Code, e.Message})
}

func write(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A caller who hung up is the only way for this to fail.
	_ = json.NewEncoder(w).Encode(v)
}
