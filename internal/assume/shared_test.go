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

// Plans for different regions need one session of what they have in common.
func TestRegionsShareTheInnerHop(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	shared := &Shared{}
	var providers []Provider
	for _, region := range []string{"eu-west-1", "us-east-1", "ap-south-1"} {
		where := Where{Region: region, Endpoint: sts.URL}
		runner, err := NewRunner(where, Deps{Getenv: noEnv, Shared: shared})
		if err != nil {
			t.Fatal(err)
		}
		plan := mustPlan(t, chainTo(roleHop, roleFromHop), Overrides{Endpoint: sts.URL, Region: region})
		p, err := runner.Provider(plan)
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, p)
	}
	for _, p := range providers {
		if _, err := p.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := sts.Count("AssumeRole"); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// A refused inner hop is refused for all that are behind it: AWS is asked once.
func TestRefusedInnerHopIsAskedOnce(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{Hook: localsts.Fail(403, "AccessDenied", "User: a is not authorized to perform: sts:AssumeRole on resource: b")})
	for _, err := range many(t, sts.URL, Deps{}, repeat(50, chainTo(roleHop, roleFromHop))...) {
		var denied *DeniedError
		if !errors.As(err, &denied) {
			t.Fatal(err)
		}
	}
	if n := sts.Count("AssumeRole"); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// A session that is short from the start is not made anew for each who asks.
func TestShortSessionIsShared(t *testing.T) {
	shared := &Shared{}
	made := 0
	p := shared.share(ProviderFunc(func(context.Context) (Session, error) {
		made++
		return Session{AccessKeyID: "A", Expires: time.Now().Add(2 * time.Minute)}, nil
	}), Step{Kind: "source"}, true)
	for range 100 {
		if _, err := p.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

// Waiting for the others at the gate is not the call's own time; being
// throttled without end is said as such.
func TestThrottlingIsNoTimeout(t *testing.T) {
	start := time.Now()
	throttle := localsts.Throttle()
	sts := localsts.StartTest(t, localsts.Options{Hook: func(w http.ResponseWriter, r *http.Request, action string) bool {
		return time.Since(start) < time.Second && throttle(w, r, action)
	}})
	run := func(timeout time.Duration) error {
		runner, err := NewRunner(Where{Region: "us-east-1", Endpoint: sts.URL}, Deps{Getenv: noEnv, Timeout: timeout, Shared: &Shared{}, Gate: &Gate{}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := runner.Provider(mustPlan(t, chainTo(roleOpen), Overrides{Endpoint: sts.URL}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Credentials(t.Context())
		return err
	}
	var throttled *ThrottledError
	if err := run(200 * time.Millisecond); !errors.As(err, &throttled) {
		t.Errorf("%v, want the throttling by name", err)
	}
	start = time.Now()
	if err := run(950 * time.Millisecond); err != nil {
		t.Errorf("throttled for a second, with time for two: %v", err)
	}
}

// Of many plans the store gets what they have in common, and what cost a code.
func TestManyKeepWhatIsCommon(t *testing.T) {
	sts := localsts.StartTest(t, localsts.Options{})
	var mu sync.Mutex
	kept := map[string]int{}
	d := Deps{Keep: func(prev Provider, step Step) Provider {
		mu.Lock()
		defer mu.Unlock()
		kept[step.RoleARN]++
		return plainStep(prev, step)
	}}
	for _, err := range many(t, sts.URL, d, repeat(5, chainTo(roleHop, roleFromHop))...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != 1 || kept[roleHop] == 0 {
		t.Errorf("kept %v", kept)
	}
}
