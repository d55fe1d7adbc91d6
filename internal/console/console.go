// Package console makes addresses of the AWS console: the federation sign-in for
// a session, and the console's own link for switching to a role.
//
// It is a room of its own because what it handles is a secret twice over (the
// session goes into a request's address, and the answer is a sign-in), so that no
// error, redirect or log may carry it, and because four kinds of partition differ
// in it. It knows nothing of profiles, terminals or browsers.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of the console session's length, from the IAM user guide ("Enable
// custom identity broker access to the AWS console").
const (
	MinDuration = 15 * time.Minute
	MaxDuration = 12 * time.Hour
)

// Why a sign-in can't be had. Each is found before anything is sent.
var (
	// ErrLongTermKeys says that the credentials are a user's own keys, with which
	// the federation endpoint gives no sign-in.
	ErrLongTermKeys = errors.New("long-term keys can't sign in to the console")
	// ErrChainedDuration says that a length was asked for a session that a role
	// made: the endpoint refuses it, and the console session ends with the role's.
	ErrChainedDuration = errors.New("the console session of a chained role can't be given a duration")
	// ErrDuration says that the length is not 15 minutes to 12 hours.
	ErrDuration = errors.New("a console session lasts from 15m to 12h")
)

// An InputError is a value of the request that can't be used.
type InputError struct {
	Field string // of SignIn, lower-case; or "role"
	Value string
	Why   string
}

// Error names the value.
func (e *InputError) Error() string { return fmt.Sprintf("%s %q %s", e.Field, e.Value, e.Why) }

// A StatusError is an answer of the federation endpoint other than 200. It holds
// nothing of the answer: that could repeat the session.
type StatusError struct{ Status int }

// Error names the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the federation endpoint answered with status %d", e.Status)
}

// Session is the credentials that sign in. It hides them in every way of printing.
type Session struct{ AccessKeyID, SecretAccessKey, SessionToken string }

const hidden = "session(hidden)"

// String hides the credentials.
func (Session) String() string { return hidden }

// LogValue hides the credentials.
func (Session) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON hides the credentials.
func (Session) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// Format hides the credentials from every verb.
func (Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// SignIn is what the console is asked for.
type SignIn struct {
	Partition string // "" is aws
	Region    string // "" leaves it to the console
	// Service is a service's name as in the console's addresses or the AWS CLI
	// ("s3", "ec2"), or a path below it; "" is the console's home.
	Service string
	// Duration is the console session's length; 0 is as long as the credentials last.
	Duration time.Duration
	// Chained says that a role's session made these credentials.
	Chained bool
	// Issuer is where the console sends a person whose session ended. May be "".
	Issuer string
	// LogoutFirst ends the browser's present session before.
	LogoutFirst bool
	// Endpoint replaces the partition's federation endpoint, for rehearsal: https,
	// or http on loopback.
	Endpoint string
}

// URL asks the federation endpoint for a sign-in token and gives the address that
// uses it. The address is as secret as the session; AWS honours it for 15 minutes.
func (s SignIn) URL(ctx context.Context, client *http.Client, session Session) (string, error) {
	if session.SessionToken == "" {
		return "", ErrLongTermKeys
	}
	if err := s.Check(); err != nil {
		return "", err
	}
	p, err := placeOf(s.Partition, s.Region)
	if err != nil {
		return "", err
	}
	endpoint := p.signIn() + "/federation"
	if s.Endpoint != "" {
		endpoint = s.Endpoint
	}
	destination, err := p.destination(s.Service, s.Region)
	if err != nil {
		return "", err
	}
	token, err := s.token(ctx, client, endpoint, session)
	if err != nil {
		return "", fmt.Errorf("get a sign-in token for the console: %w", err)
	}
	q := url.Values{"Action": {"login"}, "Destination": {destination}, "SigninToken": {token}}
	if s.Issuer != "" {
		q.Set("Issuer", s.Issuer)
	}
	address := with(endpoint, q)
	if s.LogoutFirst {
		address = with(p.signIn()+"/oauth", url.Values{"Action": {"logout"}, "redirect_uri": {address}})
	}
	return address, nil
}

// Check finds what is wrong with the request itself. URL does so too; a caller
// who asks first asks a person for nothing in vain.
func (s SignIn) Check() error {
	p, err := placeOf(s.Partition, s.Region)
	if err != nil {
		return err
	}
	if _, err := p.destination(s.Service, s.Region); err != nil {
		return err
	}
	if s.Endpoint != "" {
		if err := checkEndpoint(s.Endpoint); err != nil {
			return err
		}
	}
	switch {
	case s.Duration == 0:
		return nil
	case s.Duration < MinDuration || s.Duration > MaxDuration:
		return fmt.Errorf("duration %s: %w", s.Duration, ErrDuration)
	case s.Chained:
		return ErrChainedDuration
	}
	return nil
}

// checkEndpoint keeps a session from being sent in the clear to another machine.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return &InputError{"endpoint", endpoint, "is not an http or https address"}
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return &InputError{"endpoint", endpoint, "must be https, or http on loopback"}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// token makes the getSigninToken call. The endpoint takes it as a GET alone, so
// the session is part of the address: no error below may repeat that.
func (s SignIn) token(ctx context.Context, client *http.Client, endpoint string, session Session) (string, error) {
	creds, err := json.Marshal(struct {
		ID    string `json:"sessionId"`
		Key   string `json:"sessionKey"`
		Token string `json:"sessionToken"`
	}{session.AccessKeyID, session.SecretAccessKey, session.SessionToken})
	if err != nil {
		return "", errors.New("the session can't be encoded")
	}
	q := url.Values{"Action": {"getSigninToken"}, "Session": {string(creds)}}
	if s.Duration > 0 {
		q.Set("SessionDuration", strconv.Itoa(int(s.Duration/time.Second)))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, with(endpoint, q), nil)
	if err != nil {
		return "", errors.New("the federation endpoint's address is malformed")
	}
	// A redirect would take the address, with the session in it, to its target's
	// Referer or log.
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		return "", withoutAddress(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", &StatusError{resp.StatusCode}
	}
	var answer struct{ SigninToken string }
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&answer)
	if err != nil || answer.SigninToken == "" {
		return "", errors.New("the federation endpoint's answer holds no sign-in token")
	}
	return answer.SigninToken, nil
}

// withoutAddress takes off the address that net/http puts before its errors.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func with(address string, q url.Values) string {
	if strings.Contains(address, "?") {
		return address + "&" + q.Encode()
	}
	return address + "?" + q.Encode()
}
