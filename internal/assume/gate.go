package assume

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Gate makes many calls back off together: when AWS throttles one, all wait,
// and each further throttling doubles the wait. Without it, a thousand calls
// would each find out alone.
type Gate struct {
	mu    sync.Mutex
	until time.Time
	pause time.Duration
}

const (
	firstPause   = 200 * time.Millisecond
	longestPause = 10 * time.Second
	// sharedAttempts is how often a throttled call is tried among many: the gate
	// spaces the tries, and the call's patience ends them sooner.
	sharedAttempts = 100
)

// wait returns when the gate is open. Waiters leave spread over a part of the
// pause, so that they don't all come back at once. The time is not the call's.
func (g *Gate) wait(ctx context.Context) error {
	g.mu.Lock()
	left := time.Until(g.until)
	pause := g.pause
	g.mu.Unlock()
	if left <= 0 {
		return nil
	}
	b := budgetOf(ctx)
	b.pause()
	defer b.resume()
	return sleep(ctx, left+rand.N(pause/4+1)) //nolint:gosec // spreads callers, guards nothing
}

// throttled closes the gate for longer than the last time, and tells for how
// long. Calls that were under way when it closed count once.
func (g *Gate) throttled() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := time.Until(g.until); left > 0 {
		return left
	}
	g.pause = min(max(2*g.pause, firstPause), longestPause)
	g.until = time.Now().Add(g.pause)
	return g.pause
}

// passed lets the next pause be shorter.
func (g *Gate) passed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Now().After(g.until) {
		g.pause -= g.pause / 8
	}
}

// gatedClient waits at the gate before each request, and watches the answers.
type gatedClient struct {
	inner httpClient
	gate  *Gate
}

// Do sends one request.
func (c gatedClient) Do(req *http.Request) (*http.Response, error) {
	if err := c.gate.wait(req.Context()); err != nil {
		return nil, err
	}
	res, err := c.inner.Do(req)
	if err != nil || res.StatusCode < http.StatusBadRequest {
		if err == nil {
			c.gate.passed()
		}
		return res, err
	}
	throttled, err := isThrottling(res)
	if err == nil && throttled {
		budgetOf(req.Context()).throttled(c.gate.throttled())
	}
	return res, err
}

// isThrottling reads an error document and puts it back.
func isThrottling(res *http.Response) (bool, error) {
	if res.StatusCode == http.StatusTooManyRequests {
		return true, nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return false, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), res.Body), res.Body}
	_, rest, _ := strings.Cut(string(raw), "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	_, known := retry.DefaultThrottleErrorCodes[code]
	return known, nil
}

// newSharedRetryer leaves the waiting of throttled calls to the gate, and the
// SDK's budget of retries out: it is made for one caller, not for thousands.
// Everything else is tried as often as by a call that is alone.
func newSharedRetryer() aws.Retryer {
	backoff := retry.NewExponentialJitterBackoff(2 * time.Second)
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = sharedAttempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, err error) (time.Duration, error) {
			switch {
			case retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary:
				return 0, nil
			case attempt >= maxAttempts:
				return 0, err
			}
			return backoff.BackoffDelay(attempt, err)
		})
	})
}
