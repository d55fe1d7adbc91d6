// Package iamread reads what decides about a role assumption: users, roles and their policies over IAM's API, and the policies
// of an organization over the Organizations API. It only reads, with credentials that it is given, and signs its few kinds of
// requests itself: linking the SDK's IAM and Organizations clients would make every start of the program slower.
package iamread

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"crossrole/internal/word"
)

// Credentials sign the requests.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

// String hides the secrets.
func (Credentials) String() string { return "iamread.Credentials(hidden)" }

// GoString hides the secrets.
func (c Credentials) GoString() string { return c.String() }

// Endpoint is where a service is called, and the region that requests to it are signed for.
type Endpoint struct {
	URL    string
	Region string
}

// Client reads one account with one set of credentials. It is safe for use by many goroutines.
type Client struct {
	HTTP interface {
		Do(*http.Request) (*http.Response, error)
	}
	Credentials   Credentials
	IAM           Endpoint
	Organizations Endpoint
	Now           func() time.Time
	// Timeout bounds each call with all its tries; zero bounds nothing.
	Timeout time.Duration

	skew atomic.Int64 // nanoseconds that AWS's clock is ahead of Now
}

// Endpoints are AWS's own, by partition. ok is false for a partition whose endpoints are not known.
// Source: AWS general reference, IAM and Organizations endpoints.
func Endpoints(partition string) (iam, organizations Endpoint, ok bool) {
	switch partition {
	case "aws":
		return Endpoint{"https://iam.amazonaws.com", "us-east-1"}, Endpoint{"https://organizations.us-east-1.amazonaws.com", "us-east-1"}, true
	case "aws-cn":
		return Endpoint{"https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"},
			Endpoint{"https://organizations.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"}, true
	case "aws-us-gov":
		return Endpoint{"https://iam.us-gov.amazonaws.com", "us-gov-west-1"},
			Endpoint{"https://organizations.us-gov-west-1.amazonaws.com", "us-gov-west-1"}, true
	}
	return Endpoint{}, Endpoint{}, false
}

// APIError is what a service answered instead of what was asked for.
type APIError struct {
	Action  string // such as iam:GetRole
	Status  int
	Code    string
	Message string
}

// Error is one line; what the service said is quoted.
func (e *APIError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("%s: the endpoint answered with status %d and nothing that AWS would say", e.Action, e.Status)
	}
	return fmt.Sprintf("%s: %.80s: %.300q", e.Action, word.Spell(e.Code), e.Message)
}

// Denied tells that the caller may not read this.
func (e *APIError) Denied() bool {
	return strings.HasPrefix(e.Code, "AccessDenied") || e.Code == "UnauthorizedOperation"
}

// NoSuchEntity tells that there is no user, role or policy of that name.
func (e *APIError) NoSuchEntity() bool { return hasCode(e, "NoSuchEntity") }

// hasCode tells an answer with one of these codes.
func hasCode(err error, codes ...string) bool {
	var api *APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, c := range codes {
		if api.Code == c || api.Code == c+"Exception" {
			return true
		}
	}
	return false
}

const (
	maxAnswer    = 16 << 20 // bytes of one answer; IAM's pages stay below 1 MB
	maxAttempts  = 4
	maxThrottled = 20
)

// request is one signed call.
type request struct {
	service  string
	action   string // with the service's prefix, for messages
	endpoint Endpoint
	headers  map[string]string
	body     []byte
}

// send calls until there is an answer, for Timeout at the most: what AWS itself could not do is tried again, a refusal is not.
func (c *Client) send(ctx context.Context, r request) ([]byte, error) {
	if c.Timeout > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("no answer within %s", c.Timeout))
		defer cancel()
		ctx = limited
	}
	for attempt := 1; ; attempt++ {
		status, ahead, body, err := c.once(ctx, r)
		switch {
		case err == nil && status == http.StatusOK:
			return body, nil
		case err == nil:
			err = apiError(r.action, status, body)
			if !worthAnotherTry(err) && (!c.correct(ahead) || attempt > 1) {
				return nil, err
			}
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", r.action, context.Cause(ctx))
		default:
			err = fmt.Errorf("%s: %w", r.action, err)
		}
		if attempt == attempts(err) {
			return nil, err
		}
		select {
		case <-time.After(pause(attempt, err)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// attempts is how often a request is sent. Organizations answers only a few a second, so throttling is waited out; the
// client's Timeout ends it sooner.
func attempts(err error) int {
	if throttled(err) {
		return maxThrottled
	}
	return maxAttempts
}

func pause(attempt int, err error) time.Duration {
	if throttled(err) {
		return min(time.Duration(attempt*attempt)*200*time.Millisecond, 5*time.Second)
	}
	wait := 100 * time.Millisecond
	for range attempt - 1 {
		wait *= 3
	}
	return wait
}

// throttled tells that AWS wants fewer requests.
func throttled(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	_, known := retry.DefaultThrottleErrorCodes[api.Code]
	return known || api.Status == http.StatusTooManyRequests || hasCode(err, "TooManyRequests")
}

func worthAnotherTry(err error) bool {
	api, ok := errors.AsType[*APIError](err)
	return ok && api.Status >= 500 || throttled(err) || hasCode(err, "ServiceFailure")
}

// minSkew is a little below the five minutes by which a signature may be off.
const minSkew = 4 * time.Minute

// correct takes AWS's clock over if it is far from this machine's.
func (c *Client) correct(ahead time.Duration) bool {
	if (ahead - time.Duration(c.skew.Load())).Abs() < minSkew {
		return false
	}
	c.skew.Store(int64(ahead))
	return true
}

// once makes one call. ahead is how far the answer's clock is ahead of this machine's.
func (c *Client) once(ctx context.Context, r request) (status int, ahead time.Duration, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.endpoint.URL, "/")+"/", bytes.NewReader(r.body))
	if err != nil {
		return 0, 0, nil, err
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	sum := sha256.Sum256(r.body)
	keys := aws.Credentials{AccessKeyID: c.Credentials.AccessKeyID, SecretAccessKey: c.Credentials.SecretAccessKey, SessionToken: c.Credentials.SessionToken}
	at := c.now().Add(time.Duration(c.skew.Load()))
	if err := v4.NewSigner().SignHTTP(ctx, keys, req, hex.EncodeToString(sum[:]), r.service, r.endpoint.Region, at); err != nil {
		return 0, 0, nil, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, 0, nil, err
	}
	defer resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		ahead = date.Sub(c.now())
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("the answer is larger than any of AWS's")
	}
	return resp.StatusCode, ahead, body, err
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
