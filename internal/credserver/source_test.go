package credserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a provider whose sessions last life and whose calls are counted.
type scripted struct {
	life  time.Duration
	calls atomic.Int32
	asked atomic.Int64 // atLeast of the last call
	fail  atomic.Bool
	delay time.Duration
}

func (p *scripted) Credentials(ctx context.Context, atLeast time.Duration) (Credentials, error) {
	n := p.calls.Add(1)
	p.asked.Store(int64(atLeast))
	select {
	case <-time.After(p.delay):
	case <-ctx.Done():
		return Credentials{}, ctx.Err()
	}
	if p.fail.Load() {
		return Credentials{}, errors.New("call AssumeRole: service unavailable")
	}
	c := session(p.life)
	c.AccessKeyID = fmt.Sprint("key", n)
	return c, nil
}

// one makes a server for p and gives its source; time is the bubble's.
func one(t *testing.T, p Provider) *source {
	t.Helper()
	s, err := New(Config{Profiles: map[string]Provider{"dev": p}, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.sources["dev"]
}

func TestRefreshIsAheadOfTheSDKs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour, delay: 100 * time.Millisecond}
		src := one(t, p)
		least := time.Hour
		for range 5 * 60 { // five hours, a request a minute
			c, err := src.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Until(c.Expiration))
			time.Sleep(time.Minute)
		}
		if least < 15*time.Minute {
			t.Errorf("credentials were served with %v left: botocore refreshes under 15m", least)
		}
		if n := p.calls.Load(); n > 5*60/30 {
			t.Errorf("%d calls in five hours of one-hour sessions", n)
		}
	})
}

func TestMoreThanTheUsualCanBeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Profiles: map[string]Provider{"dev": &scripted{life: time.Hour}}, Token: token, AtLeast: 40 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 5 * 60 {
			c, err := s.sources["dev"].get(t.Context())
			if err != nil || time.Until(c.Expiration) < 40*time.Minute {
				t.Fatalf("%v left, %v", time.Until(c.Expiration), err)
			}
			time.Sleep(time.Minute)
		}
	})
}

// The provider keeps sessions too: it must be told to renew before our limit,
// or it would hand out what it keeps until it is too short.
func TestProviderIsAskedForEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour}
		src := one(t, p)
		if _, err := src.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(p.asked.Load()); got < DefaultAtLeast {
			t.Errorf("first call asked for %v", got)
		}
		time.Sleep(time.Hour - DefaultAtLeast - ahead + time.Second)
		if _, err := src.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := time.Duration(p.asked.Load()); got < DefaultAtLeast+ahead {
			t.Errorf("renewal asked for %v", got)
		}
	})
}

func TestShortSessionsAreNotAskedForAtEveryRequest(t *testing.T) {
	for _, life := range []time.Duration{3 * time.Second, 15 * time.Minute, 17 * time.Minute, 24 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			p := &scripted{life: life}
			src := one(t, p)
			for range 100 {
				c, err := src.get(t.Context())
				if err != nil || !c.Expiration.After(time.Now()) {
					t.Fatal("expired or failed", err)
				}
				time.Sleep(life / 10)
			}
			if n := p.calls.Load(); n > 40 && life < DefaultAtLeast {
				t.Errorf("life %v: %d calls in ten lives", life, n)
			}
		})
	}
}

func TestBackgroundRenewalBridgesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour}
		src := one(t, p)
		if _, err := src.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.fail.Store(true)
		time.Sleep(36 * time.Minute) // 24 minutes left
		for range 7 * 60 {           // asked each second for seven minutes
			if _, err := src.get(t.Context()); err != nil {
				t.Fatalf("with %v left: %v", src.left(), err)
			}
			time.Sleep(time.Second)
		}
		if n := p.calls.Load(); n > 20 {
			t.Errorf("%d calls to a service that is down", n)
		}
		p.fail.Store(false)
		time.Sleep(time.Second)
		if _, err := src.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if c, err := src.get(t.Context()); err != nil || time.Until(c.Expiration) < 50*time.Minute {
			t.Errorf("not renewed once it works again: %v left, %v", time.Until(c.Expiration), err)
		}
	})
}

func TestFailureIsAnsweredAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour}
		src := one(t, p)
		if _, err := src.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		p.fail.Store(true)
		if c, err := src.get(t.Context()); err == nil || c.AccessKeyID != "" {
			t.Error("old credentials were served when the refresh failed")
		}
		p.fail.Store(false)
		if c, err := src.get(t.Context()); err != nil || time.Until(c.Expiration) < 59*time.Minute {
			t.Errorf("the failure was remembered: %v", err)
		}
	})
}

func TestManyAskersShareOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour, delay: time.Second}
		src := one(t, p)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if c, err := src.get(t.Context()); err != nil || c.AccessKeyID != "key1" {
					t.Error(c.AccessKeyID, err)
				}
			})
		}
		wg.Wait()
		if n := p.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// The first caller may hang up (botocore waits 2 seconds); the others, and its
// own second attempt, still get what its call brings.
func TestSharedCallOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{life: time.Hour, delay: 5 * time.Second}
		src := one(t, p)
		impatient, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := src.get(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("first caller: %v", err)
		}
		if _, err := src.get(t.Context()); err != nil {
			t.Errorf("second caller: %v", err)
		}
		if n := p.calls.Load(); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestSharedCallHasItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := one(t, &scripted{life: time.Hour, delay: time.Hour})
		begun := time.Now()
		_, err := src.get(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != DefaultRefreshTimeout {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Profiles: map[string]Provider{"dev": &scripted{delay: time.Hour}}, Token: token, RefreshTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error, 1)
		go func() { _, err := s.sources["dev"].get(t.Context()); failed <- err }()
		synctest.Wait()
		s.Close()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestSoak keeps clients busy while sessions expire, then looks for what leaked.
// CROSSROLE_SOAK=60s makes it as long as the promise says.
func TestSoak(t *testing.T) {
	length, life := 2*time.Second, 600*time.Millisecond
	if v := os.Getenv("CROSSROLE_SOAK"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
		life = 3 * time.Second
	}
	goroutines, fds := runtime.NumGoroutine(), openFDs()
	p := &scripted{life: life, delay: 20 * time.Millisecond}
	r := start(t, Config{Profiles: map[string]Provider{"dev": p}})
	requests := soak(t, r, length)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	most := int32(length/(life/3)) + 2 // renewed in the background after a third
	if n := p.calls.Load(); n < int32(length/life) || n > most {
		t.Errorf("%d refreshes in %v of sessions of %v", n, length, life)
	}
	t.Logf("%d requests, %d refreshes", requests, p.calls.Load())
	for range 100 { // what is closed takes a moment to be gone
		if runtime.NumGoroutine() <= goroutines && openFDs() <= fds {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("goroutines %d → %d, descriptors %d → %d", goroutines, runtime.NumGoroutine(), fds, openFDs())
}

func soak(t *testing.T, r running, length time.Duration) int64 {
	t.Helper()
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 5 * time.Second}
	end := time.Now().Add(length)
	var requests atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				requests.Add(1)
				if err := fresh(client, r.addr); err != nil {
					t.Error(err)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	return requests.Load()
}

// openFDs counts this process's descriptors where the system lists them.
func openFDs() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// fresh asks once and checks that what comes has not expired.
func fresh(client *http.Client, addr string) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/dev", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", token)
	begun := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var b body
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		return err
	}
	// Whole seconds are all an answer holds: what it says may be up to one early.
	exp, err := time.Parse(time.RFC3339, b.Expiration)
	if err != nil || !exp.Add(time.Second).After(begun) {
		return fmt.Errorf("status %d, expired at %q (%w)", resp.StatusCode, b.Expiration, err)
	}
	return nil
}
