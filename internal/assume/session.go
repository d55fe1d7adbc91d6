// Package assume turns a resolved chain into a Plan, and a Plan into a
// Session: it fetches what the chain starts from, walks the hops with STS, and
// asks for an MFA code where a hop needs one.
package assume

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// hidden is what every accidental print of a secret shows.
const hidden = "[hidden]"

// Secret is a text that no print, log or marshaller shows. Only Reveal does.
type Secret struct{ text string }

// NewSecret wraps a secret text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the text to the one sink that must write it.
func (s Secret) Reveal() string { return s.text }

// IsSet tells whether there is a secret at all.
func (s Secret) IsSet() bool { return s.text != "" }

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret.
func (s Secret) GoString() string { return hidden }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the secret, in JSON and every other encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Session is a set of credentials, who they belong to, and until when.
type Session struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret    // unset for long-term keys
	Expires         time.Time // zero when the credentials do not expire
	AccountID       string    // 12 digits; empty when unknown
	ARN             string    // of the assumed role's session; empty when unknown
	SourceIdentity  string

	skew time.Duration // how far AWS's clock was ahead of this machine's when it was made
}

// String names the session without its secrets.
func (s Session) String() string {
	who := s.ARN
	if who == "" {
		who = s.AccessKeyID
	}
	if s.Expires.IsZero() {
		return who
	}
	return who + " until " + s.Expires.UTC().Format(time.RFC3339)
}

// GoString names the session without its secrets.
func (s Session) GoString() string { return "assume.Session{" + s.String() + "}" }

// LogValue names the session without its secrets.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON names the session without its secrets: internal/output alone
// writes them.
func (s Session) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%q", s.String()), nil
}

// LeftAt tells how long the session is still good at the given time; a session
// that does not expire has a year left.
func (s Session) LeftAt(now time.Time) time.Duration {
	if s.Expires.IsZero() {
		return 365 * 24 * time.Hour
	}
	return s.Expires.Sub(now)
}

// Provider hands out a session: a source, a hop, or either of them cached.
type Provider interface {
	Credentials(ctx context.Context) (Session, error)
}

// ProviderFunc makes a function a Provider.
type ProviderFunc func(ctx context.Context) (Session, error)

// Credentials calls the function.
func (f ProviderFunc) Credentials(ctx context.Context) (Session, error) { return f(ctx) }
