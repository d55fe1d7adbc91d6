package assume

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"crossrole/internal/remember"
)

// Store keeps bytes under a key for every process of this user.
type Store interface {
	// Get returns what is kept under key; a miss is no error.
	Get(key string) (value []byte, ok bool, err error)
	// Put keeps value under key. about is not secret.
	Put(key string, value []byte, about About) error
	// Lock waits for the lock of key, which one process has at a time. When ctx ends first, its error is in the chain
	// of the one returned; every other error means that there are no locks here. unlock is never nil.
	Lock(ctx context.Context, key string) (unlock func(), err error)
}

// About is what may be known of a kept session without opening it.
type About struct {
	Profile string
	Who     string // the session's ARN, or the role's
	Made    time.Time
	Expires time.Time
}

// Keeper puts the steps of a plan behind a store: what one process got, all have. Its method Keep is for Deps.Keep. The
// zero value but for the store is a keeper; it is safe for use by many goroutines.
type Keeper struct {
	Store Store
	// Refresh makes new sessions though there are good ones. MFA sessions are left alone: they would cost a code.
	Refresh bool
	// MinTTL is the least that must be left of a session; zero demands nothing.
	MinTTL time.Duration
	// Timeout is how long to wait for another process; zero means a minute.
	Timeout time.Duration
	Notice  func(text string)
	Now     func() time.Time // nil means time.Now
	Luck    func() float64   // nil means rand.Float64

	mu    sync.Mutex
	began time.Time
	told  map[string]bool
	lives map[Fingerprint]remember.Life
}

// Keep puts one step behind the store.
func (k *Keeper) Keep(prev Provider, step Step) Provider {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.began.IsZero() {
		k.began = k.now()
	}
	becomeInner(prev)
	return &kept{keeper: k, prev: prev, step: step}
}

// Life is how long the session of a step that was handed out may be handed out again.
func (k *Keeper) Life(key Fingerprint) (remember.Life, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	life, ok := k.lives[key]
	return life, ok
}

func (k *Keeper) setLife(key Fingerprint, life remember.Life) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lives == nil {
		k.lives = map[Fingerprint]remember.Life{}
	}
	k.lives[key] = life
}

// without says once that the store does not work, whatever it is that fails first.
func (k *Keeper) without(err error) { k.tellOnce("store", err.Error()+"; going on without") }

// tellOnce says one text of a subject; what varies, as the time that is left, is not said again and again.
func (k *Keeper) tellOnce(subject, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Notice == nil || k.told[subject] {
		return
	}
	if k.told == nil {
		k.told = map[string]bool{}
	}
	k.told[subject] = true
	k.Notice(text)
}

func (k *Keeper) now() time.Time {
	if k.Now == nil {
		return time.Now()
	}
	return k.Now()
}

func (k *Keeper) luck() float64 {
	if k.Luck == nil {
		return rand.Float64() //nolint:gosec // it spreads renewals, and need not be hard to guess
	}
	return k.Luck()
}

// kept is a step behind the store.
type kept struct {
	keeper *Keeper
	prev   Provider
	step   Step
	inner  bool // another step is called with its session, and nobody else sees it
}

func (c *kept) becomeInner() { c.inner = true }

// becomeInner tells a provider that another step is called with its session.
func becomeInner(p Provider) {
	if p, ok := p.(interface{ becomeInner() }); ok {
		p.becomeInner()
	}
}

// held is a session with the life it was kept with.
type held struct {
	session Session
	life    remember.Life
}

// Credentials hands out the kept session if it is good. Otherwise it makes one, one process at a time: the lock is held
// around the step alone, and whoever waited for it looks again before calling.
func (c *kept) Credentials(ctx context.Context) (Session, error) {
	began := c.keeper.now()
	old, found := c.read()
	if found && c.good(old) {
		return c.give(old), nil
	}
	unlock, err := c.lock(ctx)
	defer unlock()
	if err != nil {
		return c.leftover(old, err)
	}
	// What another process made while we waited is new enough for every purpose but a longer --min-ttl.
	if again, ok := c.read(); ok && (c.good(again) || !again.life.Made.Before(began) && again.life.Usable(c.keeper.now())) {
		return c.give(again), nil
	}
	s, err := c.exchange(ctx)
	if err != nil {
		return c.leftover(old, err)
	}
	return c.keep(s)
}

func (c *kept) exchange(ctx context.Context) (Session, error) {
	caller, err := c.prev.Credentials(ctx)
	if err != nil {
		return Session{}, err
	}
	return c.step.Exchange(ctx, caller)
}

// passedOver says whether the session is one that --refresh is there to replace.
func (c *kept) passedOver(h held) bool {
	return c.keeper.Refresh && c.step.Kind != "mfa" && h.life.Made.Before(c.keeper.began)
}

// good says whether a kept session will do. One that only has to make the next call need not last.
func (c *kept) good(h held) bool {
	if c.passedOver(h) {
		return false
	}
	if c.inner {
		return h.life.Usable(c.keeper.now())
	}
	return h.life.Judge(c.keeper.now(), c.keeper.luck()) != remember.Stale
}

// give hands out a kept session, and says so if it is the rest of one that only a person can renew.
func (c *kept) give(h held) Session {
	if !c.inner && h.life.Judge(c.keeper.now(), 0) == remember.Short {
		left := h.life.Expires.Sub(c.keeper.now()).Round(time.Second)
		c.keeper.tellOnce("short "+c.name(), "profile "+quoted(c.step.Profile)+": "+Spell(left)+" left of this session; a new one needs a person: --refresh asks for it now")
	}
	c.keeper.setLife(c.step.Key, h.life)
	return h.session
}

// leftover is what remains to be handed out when there is nothing new: the kept session, if AWS did not refuse and
// nobody asked for another.
func (c *kept) leftover(old held, err error) (Session, error) {
	var denied *DeniedError
	var person *PersonError
	switch {
	case c.passedOver(old), !old.life.Usable(c.keeper.now()), errors.Is(err, context.Canceled):
		return Session{}, err
	case errors.As(err, &denied), errors.As(err, &person):
		return Session{}, err
	}
	left := old.life.Expires.Sub(c.keeper.now()).Round(time.Second)
	c.keeper.tellOnce("leftover "+c.name(), err.Error()+"; going on with the session there is, which has "+Spell(left)+" left")
	return old.session, nil
}

// keep stores a new session. A store that can't is no reason to fail: the credentials are good.
func (c *kept) keep(s Session) (Session, error) {
	h := held{session: s, life: c.life(c.keeper.now(), s.Expires.Add(-s.skew))}
	about := About{Profile: c.step.Profile, Who: s.ARN, Made: h.life.Made, Expires: s.Expires}
	if about.Who == "" {
		about.Who = c.step.RoleARN
	}
	if err := c.keeper.Store.Put(c.name(), encodeHeld(h), about); err != nil {
		c.keeper.without(err)
	} else {
		c.keeper.setLife(c.step.Key, h.life)
	}
	if left := h.life.Expires.Sub(h.life.Made); left < h.life.MinTTL {
		return Session{}, &ShortError{Profile: c.step.Profile, Left: left, Want: h.life.MinTTL}
	}
	return s, nil
}

func (c *kept) life(made, expires time.Time) remember.Life {
	life := remember.Life{Made: made, Expires: expires, Asked: c.step.Asked, Person: c.asks()}
	if !c.inner {
		life.MinTTL = c.keeper.MinTTL
	}
	return life
}

// asks says whether a new session of this step would need a person now.
func (c *kept) asks() bool {
	if c.step.NeedsPerson {
		return true
	}
	return asksFirst(c.prev)
}

// asksFirst says whether a provider needs a person before it hands anything out.
func asksFirst(p Provider) bool {
	asking, ok := p.(interface{ asksFirst() bool })
	return ok && asking.asksFirst()
}

func (c *kept) asksFirst() bool {
	if !c.asks() {
		return false
	}
	h, found := c.read()
	return !found || !c.good(h)
}

// read returns the kept session, judged by nobody yet. What does not read as one is a miss.
func (c *kept) read() (held, bool) {
	value, ok, err := c.keeper.Store.Get(c.name())
	if err != nil {
		c.keeper.without(err)
	}
	if err != nil || !ok {
		return held{}, false
	}
	h, ok := decodeHeld(value)
	if ok {
		h.life = c.life(h.life.Made, h.life.Expires)
	}
	return h, ok
}

func (c *kept) name() string { return c.step.Key.String() }

// lock waits for the step's lock. Where there are no locks the work goes on without.
func (c *kept) lock(ctx context.Context) (unlock func(), err error) {
	limit := c.keeper.Timeout
	if limit <= 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTimeout)
	defer cancel()
	unlock, err = c.keeper.Store.Lock(ctx, c.name())
	switch {
	case err == nil:
		return unlock, nil
	case errors.Is(err, context.DeadlineExceeded):
		return unlock, &CallError{
			Doing: "getting a session of profile " + quoted(c.step.Profile), Err: err,
			Why:    "another process has been getting the same one, and was not done after " + limit.String(),
			Advice: []string{"it may be waiting for an MFA code on its own terminal; --timeout waits longer"},
		}
	case errors.Is(err, context.Canceled):
		return unlock, err
	}
	c.keeper.without(err)
	return unlock, nil
}

// ShortError is a session that AWS makes shorter than --min-ttl demands.
type ShortError struct {
	Profile    string
	Left, Want time.Duration
}

func (e *ShortError) Error() string {
	return "getting a session of profile " + quoted(e.Profile) + ": a new one lasts " + Spell(e.Left) + ", and --min-ttl wants " + Spell(e.Want)
}

// Hints says how to get a longer session.
func (e *ShortError) Hints() []string {
	return []string{"ask for a longer one with --duration or duration_seconds, as far as the role's maximum allows"}
}

// heldVersion changes when the form of a kept session does.
const heldVersion = 1

// heldForm is a session as it is kept, with its secrets: Session itself marshals none.
type heldForm struct {
	Version         int
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time
	AccountID       string
	ARN             string
	SourceIdentity  string
	Made            time.Time
	Skew            time.Duration // of AWS's clock against this machine's
}

func encodeHeld(h held) []byte {
	s := h.session
	out, err := json.Marshal(heldForm{
		heldVersion, s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal(), s.Expires, s.AccountID, s.ARN, s.SourceIdentity,
		h.life.Made, s.skew,
	})
	if err != nil {
		return nil // only a time outside of RFC 3339's years; it reads as a miss
	}
	return out
}

func decodeHeld(value []byte) (held, bool) {
	var f heldForm
	if json.Unmarshal(value, &f) != nil || f.Version != heldVersion || f.AccessKeyID == "" || f.SecretAccessKey == "" || f.SessionToken == "" {
		return held{}, false
	}
	return held{
		session: Session{
			AccessKeyID: f.AccessKeyID, SecretAccessKey: NewSecret(f.SecretAccessKey), SessionToken: NewSecret(f.SessionToken),
			Expires: f.Expires, AccountID: f.AccountID, ARN: f.ARN, SourceIdentity: f.SourceIdentity, skew: f.Skew,
		},
		life: remember.Life{Made: f.Made, Expires: f.Expires.Add(-f.Skew)},
	}, true
}
