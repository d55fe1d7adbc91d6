package assume

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crossrole/internal/localsts"
	"crossrole/internal/profile"
)

// many runs one plan per chain, all at once, over one runner.
func many(t *testing.T, url string, d Deps, chains ...profile.Chain) []error {
	t.Helper()
	d.Getenv, d.Timeout, d.Shared, d.Gate, d.Parallel = noEnv, 20*time.Second, &Shared{}, &Gate{}, 8
	runner, err := NewRunner(Where{Region: "us-east-1", Endpoint: url}, d)
	if err != nil {
		t.Fatal(err)
	}
	errs := make([]error, len(chains))
	var wg sync.WaitGroup
	for i, c := range chains {
		plan := mustPlan(t, c, Overrides{Endpoint: url, MFASerial: c.Properties["mfa"].Text})
		p, err := runner.Provider(plan)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _, errs[i] = p.Credentials(t.Context()) })
	}
	wg.Wait()
	return errs
}

func repeat(n int, c profile.Chain) []profile.Chain {
	out := make([]profile.Chain, n)
	for i := range out {
		out[i] = c
	}
	return out
}

func TestInnerHopIsMadeOnce(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	chains := append(repeat(20, chainTo(roleHop, roleFromHop)), repeat(20, chainTo(roleHop))...)
	for _, err := range many(t, sts.URL, Deps{}, chains...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := sts.Count("AssumeRole"); n != 2 {
		t.Errorf("AssumeRole was called %d times, want 2: the inner hop, and the role behind it", n)
	}
}

// A person who gives no code is asked once, not by every account in turn.
func TestNoCodeIsAskedOnce(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	var asked atomic.Int32
	c := chainTo(roleMFA)
	c.Properties = map[string]profile.Value{"mfa": at(localsts.ExampleMFASerial)}
	gone := errors.New("nothing was typed")
	errs := many(t, sts.URL, Deps{AskCode: func(context.Context, CodeQuestion) (string, error) {
		asked.Add(1)
		return "", gone
	}}, repeat(30, c)...)
	for _, err := range errs {
		if !errors.Is(err, gone) {
			t.Fatal(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// A failure that may pass is not remembered.
func TestFailureIsNotShared(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{Hook: localsts.First(1, localsts.Fail(400, "ValidationError", "once"))})
	shared := &Shared{}
	runner, err := NewRunner(Where{Region: "us-east-1", Endpoint: sts.URL}, Deps{Getenv: noEnv, Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	p, err := runner.Provider(mustPlan(t, chainTo(roleOpen), Overrides{Endpoint: sts.URL}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Credentials(t.Context()); err == nil {
		t.Fatal("the first call must fail")
	}
	if _, err := p.Credentials(t.Context()); err != nil {
		t.Errorf("the failure was remembered: %v", err)
	}
}

// Under throttling everybody waits together, and everybody gets there.
func TestThrottlingBacksOffTogether(t *testing.T) {
	var calls, throttled atomic.Int32
	throttle := localsts.Throttle()
	start := time.Now()
	hook := func(w http.ResponseWriter, r *http.Request, action string) bool {
		calls.Add(1)
		if time.Since(start) > 300*time.Millisecond {
			return false
		}
		throttled.Add(1)
		return throttle(w, r, action)
	}
	sts := localsts.StartTest(t, localsts.Options{Hook: hook})
	var chains []profile.Chain
	for range 40 {
		chains = append(chains, chainTo(roleOpen))
	}
	for i := range chains {
		chains[i].Hops[0].SessionName = at("name" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	for _, err := range many(t, sts.URL, Deps{}, chains...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	// Alone, 40 callers would be throttled 40 times a round.
	if n := throttled.Load(); n > 80 {
		t.Errorf("%d of %d calls were throttled", n, calls.Load())
	}
}
