package assume

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"crossrole/internal/localsts"
)

// called sends requests to a handler without a network, whose waiting a
// simulated clock could not see. Each takes as long as a call to STS may.
type called struct{ handler http.Handler }

func (c called) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	w, in := httptest.NewRecorder(), req.Clone(req.Context())
	if in.RequestURI = req.URL.RequestURI(); in.Host == "" {
		in.Host = req.URL.Host
	}
	c.handler.ServeHTTP(w, in)
	res := w.Result()
	res.Request = req
	return res, nil
}

// AWS throttles everybody for half a minute: hundreds of plans, 64 at once and
// with the command line's own --timeout, all get their sessions soon after, and
// hardly call in vain. Who has less patience is told what it was. The clock is
// simulated; the gate, the retries and the limits are the real ones.
func TestHalfAMinuteOfThrottling(t *testing.T) {
	const (
		plans, parallel = 300, 64
		throttling      = 30 * time.Second
	)
	for _, c := range []struct {
		timeout time.Duration
		failed  bool
	}{{50 * time.Second, false}, {5 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var mu sync.Mutex
			refused := 0
			throttle := localsts.Throttle()
			world, err := localsts.NewWorld(localsts.Example()...)
			if err != nil {
				t.Fatal(err)
			}
			server, err := localsts.New(world, localsts.Options{Hook: func(w http.ResponseWriter, r *http.Request, action string) bool {
				if time.Since(start) >= throttling {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				refused++
				return throttle(w, r, action)
			}})
			if err != nil {
				t.Fatal(err)
			}
			const url = "http://127.0.0.1:1"
			client := lateClient{func() (*http.Client, error) { return &http.Client{Transport: called{server}}, nil }}
			runner, err := NewRunner(Where{Region: "us-east-1", Endpoint: url}, Deps{
				Getenv: noEnv, Timeout: c.timeout, Gate: &Gate{}, Parallel: parallel, Shared: &Shared{clients: map[string]lateClient{"": client}},
			})
			if err != nil {
				t.Fatal(err)
			}
			errs := make([]error, plans)
			next := make(chan int)
			var workers sync.WaitGroup
			for range parallel {
				workers.Go(func() {
					for i := range next {
						p, err := runner.Provider(mustPlan(t, chainTo(roleOpen), Overrides{Endpoint: url, SessionName: fmt.Sprintf("p%04d", i)}))
						if err == nil {
							_, err = p.Credentials(t.Context())
						}
						errs[i] = err
					}
				})
			}
			for i := range plans {
				next <- i
			}
			close(next)
			workers.Wait()
			failed := 0
			for _, err := range errs {
				var throttled *ThrottledError
				if errors.As(err, &throttled) {
					failed++
				} else if err != nil {
					t.Fatal(err)
				}
			}
			took := time.Since(start)
			t.Logf("--timeout %v: %d failed, %d calls in vain, %v", c.timeout, failed, refused, took.Round(time.Second))
			if (failed > 0) != c.failed {
				t.Errorf("--timeout %v: %d of %d failed", c.timeout, failed, plans)
			}
			// The pauses double up to ten seconds, so there are about nine of them.
			if most := 12 * parallel; !c.failed && (refused > most || took > throttling+2*longestPause) {
				t.Errorf("%d calls in vain (at most %d), %v", refused, most, took)
			}
		})
	}
}
