package assume

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"crossrole/internal/localsts"
	"crossrole/internal/remember"
)

// memory is a store in this process, with the faults that a test asks for.
type memory struct {
	mu                      sync.Mutex
	values                  map[string][]byte
	about                   map[string]About
	locks                   map[string]chan struct{}
	getErr, putErr, lockErr error
	gets, puts, locksHad    int
	whileLocked             func()
}

func (m *memory) Get(key string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	value, ok := m.values[key]
	return value, ok, m.getErr
}

func (m *memory) Put(key string, value []byte, about About) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if m.putErr != nil {
		return m.putErr
	}
	if m.values == nil {
		m.values, m.about = map[string][]byte{}, map[string]About{}
	}
	m.values[key], m.about[key] = value, about
	return nil
}

func (m *memory) Lock(ctx context.Context, key string) (func(), error) {
	if m.lockErr != nil {
		return func() {}, m.lockErr
	}
	m.mu.Lock()
	if m.locks == nil {
		m.locks = map[string]chan struct{}{}
	}
	if m.locks[key] == nil {
		m.locks[key] = make(chan struct{}, 1)
	}
	lock := m.locks[key]
	m.mu.Unlock()
	select {
	case lock <- struct{}{}:
		m.locksHad++
		if m.whileLocked != nil {
			m.whileLocked()
		}
		return func() { <-lock }, nil
	case <-ctx.Done():
		return func() {}, ctx.Err()
	}
}

// bench is a plan of steps behind a keeper, with a clock that a test turns.
type bench struct {
	store   *memory
	clock   time.Time
	calls   map[string]int // exchanges, by profile
	lasts   time.Duration
	skew    time.Duration
	fail    error
	notices []string
	keeper  *Keeper
}

func newBench() *bench {
	b := &bench{store: &memory{}, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), calls: map[string]int{}, lasts: time.Hour}
	b.restart()
	return b
}

// restart is the next process: the store is all that it has of the last one.
func (b *bench) restart() *bench {
	b.keeper = &Keeper{
		Store: b.store, Now: func() time.Time { return b.clock }, Luck: func() float64 { return 0 },
		Notice: func(text string) { b.notices = append(b.notices, text) },
	}
	return b
}

func (b *bench) step(name string, person bool) Step {
	return Step{
		Key: newFingerprinter(name).sum(), Kind: "role", Profile: name, RoleARN: "arn:aws:iam::222222222222:role/" + name, NeedsPerson: person,
		Exchange: func(_ context.Context, caller Session) (Session, error) {
			if b.fail != nil {
				return Session{}, b.fail
			}
			b.calls[name]++
			return Session{
				AccessKeyID: fmt.Sprintf("ASIA%s%d", name, b.calls[name]), SecretAccessKey: NewSecret("secret of " + name),
				SessionToken: NewSecret("token of " + name + " by " + caller.AccessKeyID), Expires: b.clock.Add(b.lasts + b.skew),
				AccountID: "222222222222", ARN: "arn:aws:sts::222222222222:assumed-role/" + name + "/me", SourceIdentity: "me", skew: b.skew,
			}, nil
		},
	}
}

var user = ProviderFunc(func(context.Context) (Session, error) { return Session{AccessKeyID: "AKIAUSER"}, nil })

func (b *bench) one() Provider { return b.keeper.Keep(user, b.step("prod", false)) }

func get(t *testing.T, p Provider) Session {
	t.Helper()
	s, err := p.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) wantCalls(t *testing.T, name string, want int) {
	t.Helper()
	if b.calls[name] != want {
		t.Errorf("%d calls for %s, want %d", b.calls[name], name, want)
	}
}

func TestASecondProcessGetsTheFirstOnesSession(t *testing.T) {
	b := newBench()
	first := get(t, b.one())
	second := get(t, b.restart().one())
	if first != second || second.SecretAccessKey.Reveal() != "secret of prod" || second.SessionToken.Reveal() == "" {
		t.Errorf("first %v, second %v", first, second)
	}
	b.wantCalls(t, "prod", 1)
	about := b.store.about[b.step("prod", false).Key.String()]
	if want := (About{"prod", first.ARN, b.clock, first.Expires}); about != want {
		t.Errorf("kept as %+v, want %+v", about, want)
	}
}

func TestWhenASessionIsRenewed(t *testing.T) {
	for _, c := range []struct {
		name   string
		lasts  time.Duration
		after  time.Duration
		person bool
		minTTL time.Duration
		calls  int
		says   string
	}{
		{"plenty left", time.Hour, 44 * time.Minute, false, 0, 1, ""},
		{"the SDKs' window", time.Hour, 46 * time.Minute, false, 0, 2, ""},
		{"a person is spared", time.Hour, 46 * time.Minute, true, 0, 1, "14m left"},
		{"the last moment", time.Hour, 59*time.Minute + 30*time.Second, true, 0, 2, ""},
		{"expired", time.Hour, 2 * time.Hour, true, 0, 2, ""},
		{"clock set back", time.Hour, -time.Hour, false, 0, 2, ""},
		{"two clocks", time.Hour, -2 * time.Second, false, 0, 1, ""},
		{"below --min-ttl", 2 * time.Hour, 31 * time.Minute, false, 90 * time.Minute, 2, ""},
		{"--min-ttl asks the person", 2 * time.Hour, 31 * time.Minute, true, 90 * time.Minute, 2, ""},
		{"above --min-ttl", 2 * time.Hour, 29 * time.Minute, false, 90 * time.Minute, 1, ""},
		{"a few seconds' session", 3 * time.Second, 2 * time.Second, false, 0, 1, ""},
		{"a few seconds' session, over", 3 * time.Second, 3 * time.Second, false, 0, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench()
			b.lasts = c.lasts
			b.keeper.MinTTL = c.minTTL
			get(t, b.keeper.Keep(user, b.step("prod", c.person)))
			b.clock = b.clock.Add(c.after)
			b.restart().keeper.MinTTL = c.minTTL
			s := get(t, b.keeper.Keep(user, b.step("prod", c.person)))
			b.wantCalls(t, "prod", c.calls)
			if c.calls == 2 && !s.Expires.Equal(b.clock.Add(c.lasts)) {
				t.Errorf("the old session was handed out: %v", s)
			}
			if said := strings.Join(b.notices, "\n"); (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
				t.Errorf("said %q, want %q", said, c.says)
			}
		})
	}
}

func TestASessionShorterThanMinTTLFails(t *testing.T) {
	b := newBench()
	b.keeper.MinTTL = 2 * time.Hour
	_, err := b.one().Credentials(t.Context())
	var short *ShortError
	if !errors.As(err, &short) || short.Left != time.Hour || len(short.Hints()) == 0 {
		t.Errorf("got %v", err)
	}
}

func TestRefresh(t *testing.T) {
	b := newBench()
	mfa := b.step("mfa", true)
	mfa.Kind = "mfa"
	chain := func() Provider { return b.keeper.Keep(b.keeper.Keep(user, mfa), b.step("prod", false)) }
	get(t, chain())
	b.clock = b.clock.Add(time.Minute)
	b.restart().keeper.Refresh = true
	get(t, chain())
	b.wantCalls(t, "prod", 2)
	b.wantCalls(t, "mfa", 1) // a code is not asked for again
	get(t, chain())
	b.wantCalls(t, "prod", 2) // the second of one process's own calls finds the refreshed one
}

func TestChainsShareTheirInnerHops(t *testing.T) {
	b := newBench()
	chain := func(last string) Provider {
		return b.keeper.Keep(b.keeper.Keep(user, b.step("inner", false)), b.step(last, false))
	}
	get(t, chain("a"))
	if s := get(t, b.restart().keeper.Keep(b.keeper.Keep(user, b.step("inner", false)), b.step("b", false))); !strings.Contains(s.SessionToken.Reveal(), "by ASIAinner1") {
		t.Errorf("called by another: %s", s.SessionToken.Reveal())
	}
	b.clock = b.clock.Add(50 * time.Minute) // both outer sessions are due; the inner one can still make a call
	get(t, chain("a"))
	b.wantCalls(t, "inner", 1)
	b.wantCalls(t, "a", 2)
	b.wantCalls(t, "b", 1)
}

// While the MFA session is good a role behind it is renewed without a person; when it is over, what is left is served.
func TestARoleBehindAnMFASession(t *testing.T) {
	b := newBench()
	chain := func() Provider { return b.keeper.Keep(b.keeper.Keep(user, b.step("mfa", true)), b.step("prod", false)) }
	b.lasts = 90 * time.Minute
	get(t, b.keeper.Keep(user, b.step("mfa", true)))
	b.lasts = time.Hour
	get(t, chain())
	b.clock = b.clock.Add(50 * time.Minute)
	get(t, b.restart().one0(chain))
	b.wantCalls(t, "prod", 2)
	b.wantCalls(t, "mfa", 1)
	b.clock = b.clock.Add(50 * time.Minute)
	get(t, b.restart().one0(chain))
	b.wantCalls(t, "prod", 2)
	b.wantCalls(t, "mfa", 1)
	if len(b.notices) != 1 || !strings.Contains(b.notices[0], "10m left") {
		t.Errorf("said %q", b.notices)
	}
}

func (b *bench) one0(chain func() Provider) Provider { return chain() }

func TestOneCallForMany(t *testing.T) {
	b := newBench()
	var mu sync.Mutex
	step := b.step("prod", false)
	inner := step.Exchange
	step.Exchange = func(ctx context.Context, caller Session) (Session, error) {
		mu.Lock()
		defer mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		return inner(ctx, caller)
	}
	var wg sync.WaitGroup
	for range 50 {
		p := (&Keeper{Store: b.store, Now: b.keeper.Now, Refresh: true}).Keep(user, step)
		wg.Go(func() {
			if _, err := p.Credentials(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.wantCalls(t, "prod", 1)
}

// A process that lives long renews as others do: what it made itself long ago is not new.
func TestAServerRenewsItsOwnSessions(t *testing.T) {
	b := newBench()
	p := b.one()
	for range 3 {
		get(t, p)
		b.clock = b.clock.Add(50 * time.Minute)
	}
	b.wantCalls(t, "prod", 3)
}

func TestWaitingForAnotherEndsInTime(t *testing.T) {
	b := newBench()
	release, err := b.store.Lock(t.Context(), b.step("prod", false).Key.String())
	if err != nil {
		t.Fatal(err)
	}
	b.keeper.Timeout = 20 * time.Millisecond
	_, err = b.one().Credentials(t.Context())
	var call *CallError
	if !errors.As(err, &call) || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), "20ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.one().Credentials(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	release()
	get(t, b.one())
}

func TestAFailureIsNotKept(t *testing.T) {
	b := newBench()
	b.fail = &DeniedError{Action: "sts:AssumeRole"}
	if _, err := b.one().Credentials(t.Context()); !errors.Is(err, b.fail) {
		t.Errorf("got %v", err)
	}
	b.fail = nil
	get(t, b.one())
	b.wantCalls(t, "prod", 1)
}

func TestWhatIsServedWhenRenewalFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		after   time.Duration
		refresh bool
		fail    error
		served  bool
	}{
		{"AWS does not answer", 50 * time.Minute, false, &CallError{Doing: "assuming", Why: "AWS did not answer"}, true},
		{"but nothing is left", 2 * time.Hour, false, &CallError{Doing: "assuming", Why: "AWS did not answer"}, false},
		{"a new one was asked for", 50 * time.Minute, true, &CallError{Doing: "assuming", Why: "AWS did not answer"}, false},
		{"AWS refuses", 50 * time.Minute, false, &DeniedError{Action: "sts:AssumeRole"}, false},
		{"a person is needed", 50 * time.Minute, false, &PersonError{Doing: "asking", Why: "nobody"}, false},
		{"interrupted", 50 * time.Minute, false, context.Canceled, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench()
			first := get(t, b.one())
			b.clock = b.clock.Add(c.after)
			b.restart().keeper.Refresh = c.refresh
			b.fail = c.fail
			s, err := b.one().Credentials(t.Context())
			if c.served && (err != nil || s != first || len(b.notices) != 1 || !strings.Contains(b.notices[0], "10m left")) {
				t.Errorf("got %v, %v, said %q", s, err, b.notices)
			}
			if !c.served && !errors.Is(err, c.fail) {
				t.Errorf("got %v, %v", s, err)
			}
		})
	}
}

// A store that does not work costs calls and one word to the person, never the credentials.
func TestAStoreThatFails(t *testing.T) {
	bad, worse := errors.New("no cache: read-only file system"), errors.New("no cache: creating a lock: read-only file system")
	for name, store := range map[string]*memory{
		"get": {getErr: bad}, "put": {putErr: bad}, "lock": {lockErr: bad}, "all": {getErr: bad, putErr: bad, lockErr: worse}, "lock and put": {putErr: bad, lockErr: worse},
	} {
		b := newBench()
		b.store = store
		chain := b.restart().keeper.Keep(b.keeper.Keep(user, b.step("inner", false)), b.step("prod", false))
		get(t, chain)
		if len(b.notices) != 1 || !strings.Contains(b.notices[0], "read-only") {
			t.Errorf("%s: said %q", name, b.notices)
		}
	}
}

func TestWhatIsNoSessionIsAMiss(t *testing.T) {
	for _, value := range []string{"", "{}", "null", "rubbish", `{"Version":2,"AccessKeyID":"A","SecretAccessKey":"s","SessionToken":"t"}`, `{"Version":1,"AccessKeyID":"A"}`} {
		b := newBench()
		b.store.values = map[string][]byte{b.step("prod", false).Key.String(): []byte(value)}
		b.store.about = map[string]About{}
		get(t, b.one())
		b.wantCalls(t, "prod", 1)
	}
}

// This machine's clock is ten minutes behind AWS's: the session ends for AWS before it seems to end here.
func TestASkewedClockCountsAsAWSCounts(t *testing.T) {
	b := newBench()
	b.skew = 10 * time.Minute
	get(t, b.keeper.Keep(user, b.step("prod", true)))
	b.clock = b.clock.Add(time.Hour)
	get(t, b.restart().keeper.Keep(user, b.step("prod", true)))
	b.wantCalls(t, "prod", 2)
	if life, _ := b.keeper.Life(b.step("prod", true).Key); !life.Expires.Equal(b.clock.Add(time.Hour)) {
		t.Errorf("by this clock it ends at %v", life.Expires)
	}
}

// A server with many requests says once what its person can do.
func TestTheRestOfASessionIsToldOnce(t *testing.T) {
	b := newBench()
	p := b.keeper.Keep(user, b.step("prod", true))
	get(t, p)
	for range 3 {
		b.clock = b.clock.Add(16 * time.Minute)
		get(t, p)
		b.clock = b.clock.Add(time.Second)
		get(t, p)
	}
	if len(b.notices) != 1 {
		t.Errorf("said %q", b.notices)
	}
}

func TestHowFarAWSsClockIsAheadIsKnown(t *testing.T) {
	server := localsts.StartTest(t, localsts.Options{Skew: time.Hour})
	s, err := runAt(t, server.URL, chainTo(roleOpen), Overrides{}, Deps{})
	if err != nil || s.skew.Round(time.Minute) != time.Hour {
		t.Errorf("ahead by %v, %v", s.skew, err)
	}
}

func TestLifeIsThatOfTheSessionHandedOut(t *testing.T) {
	b := newBench()
	key := b.step("prod", false).Key
	if _, ok := b.keeper.Life(key); ok {
		t.Error("a life before a session")
	}
	made := b.clock
	get(t, b.one())
	b.clock = b.clock.Add(time.Minute)
	b.restart().keeper.MinTTL = 20 * time.Minute
	get(t, b.one())
	want := remember.Life{Made: made, Expires: made.Add(time.Hour), MinTTL: 20 * time.Minute}
	if got, ok := b.keeper.Life(key); !ok || got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestKeptBytesAreNotInPrint(t *testing.T) {
	b := newBench()
	get(t, b.one())
	for _, about := range b.store.about {
		if text := fmt.Sprintf("%+v", about); strings.Contains(text, "secret of") || strings.Contains(text, "token of") {
			t.Error(text)
		}
	}
}

// A CA bundle is only read by who calls: it is no business of a session that is there.
func TestABrokenCABundleFailsTheCallAlone(t *testing.T) {
	b := newBench()
	plan := mustPlan(t, chainTo(roleOpen), Overrides{})
	plan.Where.CABundle = t.TempDir() + "/none"
	run := func() error {
		r, err := NewRunner(plan.Where, Deps{Keep: b.keeper.Keep, Now: b.keeper.Now, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Provider(plan)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Credentials(t.Context())
		return err
	}
	var invalid *InvalidError
	if err := run(); !errors.As(err, &invalid) || invalid.Field != "ca_bundle" {
		t.Errorf("got %v", err)
	}
	r, err := NewRunner(plan.Where, Deps{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	keys := r.Keys(plan)
	kept := held{
		session: Session{AccessKeyID: "ASIA", SecretAccessKey: NewSecret("s"), SessionToken: NewSecret("t"), Expires: b.clock.Add(time.Hour)},
		life:    remember.Life{Made: b.clock, Expires: b.clock.Add(time.Hour)},
	}
	if err := b.store.Put(keys[len(keys)-1].String(), encodeHeld(kept), About{}); err != nil {
		t.Fatal(err)
	}
	if err := run(); err != nil {
		t.Errorf("with a session at hand: %v", err)
	}
}
