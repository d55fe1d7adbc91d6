package main

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"crossrole/internal/assume"
	"crossrole/internal/cache"
	"crossrole/internal/cache/sealed"
	"crossrole/internal/disk"
	"crossrole/internal/profile"
	"crossrole/internal/remember"
)

// sessionsFolder is the part of the cache that holds sessions.
const sessionsFolder = "sessions"

// cacheFlags are the flags of every command that may take a session from the cache.
type cacheFlags struct {
	noCache bool
	refresh bool
	minTTL  time.Duration

	store  *cache.Store   // nil: nothing is kept
	keeper *assume.Keeper // nil likewise
}

func (f *cacheFlags) register(cmd *cobra.Command) {
	grouped(cmd, flagsOfCache, func(flags *pflag.FlagSet) {
		flags.BoolVar(&f.noCache, "no-cache", false, "neither take a session from the cache nor keep one")
		flags.BoolVar(&f.refresh, "refresh", false, "get a new session though there is a good one in the cache")
		flags.DurationVar(&f.minTTL, "min-ttl", 0, "the least that must be left of the session, such as 30m; else it is renewed, or the command fails")
	})
}

// maxMinTTL is as long as STS lets any session last.
const maxMinTTL = 12 * time.Hour

func (f *cacheFlags) check() error {
	if f.minTTL < 0 || f.minTTL > maxMinTTL {
		return usagef("--min-ttl must be between 0 and %s, not %s", maxMinTTL, f.minTTL)
	}
	return nil
}

// cacheMode reads CROSSROLE_CACHE.
func (a *app) cacheMode() (cache.Mode, error) {
	mode, err := cache.ParseMode(a.getenv("CROSSROLE_CACHE"))
	if err != nil {
		return "", &configError{Why: "$CROSSROLE_CACHE: " + err.Error(), Advice: []string{"unset it for auto"}}
	}
	return mode, nil
}

// openCache opens the cache that the environment names; it is nil if it is off.
func (a *app) openCache() (*cache.Store, error) {
	mode, err := a.cacheMode()
	if err != nil {
		return nil, err
	}
	root, err := sealed.Root(a.getenv)
	if err != nil {
		return nil, &cache.UncachedError{Err: err}
	}
	return cache.Open(cache.Options{Dir: root, Mode: mode})
}

// keeps says whether sessions are kept, so that one MFA code may serve several roles.
func (f *cacheFlags) keeps(a *app) bool {
	mode, err := a.cacheMode()
	return err == nil && mode != cache.Off && !f.noCache
}

// open readies the cache for a run. One that can't be used is told once, and the run goes on without.
func (f *cacheFlags) open(a *app, timeout time.Duration) {
	if f.noCache || f.keeper != nil {
		return
	}
	store, err := a.openCache()
	if err != nil {
		a.say("warning: " + err.Error() + "; going on without a cache")
		return
	}
	if store == nil {
		return
	}
	f.store = store
	f.keeper = &assume.Keeper{
		Store: sessionStore{store.Folder(sessionsFolder)}, Refresh: f.refresh, MinTTL: f.minTTL, Timeout: timeout,
		Notice: func(text string) { a.say("warning: " + text) }, Now: a.now,
	}
}

// sessionStore joins the cache to what assume asks of a store.
type sessionStore struct{ folder *cache.Folder }

func (s sessionStore) Get(key string) ([]byte, bool, error) {
	value, _, ok, err := s.folder.Get(key)
	return value, ok, err
}

func (s sessionStore) Put(key string, value []byte, about assume.About) error {
	return s.folder.Put(key, value, cache.Meta{Profile: about.Profile, Who: about.Who, Made: about.Made, Expires: about.Expires})
}

func (s sessionStore) Lock(ctx context.Context, key string) (func(), error) {
	return s.folder.Lock(ctx, key)
}

// sources are what a plan was made from.
type sources struct {
	at    time.Time // before the first of them was read
	files []remember.Stamp
	lost  bool               // the state of one of them can't be told
	young time.Time          // when the youngest of them can be relied on; zero if all can
	name  string             // of what was planned
	key   assume.Fingerprint // of the session that the plan ends in
}

func newSources(a *app) *sources { return &sources{at: a.now()} }

// add takes what a file was when it was read.
func (s *sources) add(stamp remember.Stamp) {
	s.files = append(s.files, stamp)
	if at := stamp.SettledAt(); !stamp.Settled(s.at) && at.After(s.young) {
		s.young = at
	}
}

func (s *sources) addProfiles(ids []disk.ID) {
	for _, id := range ids {
		if id.Path == "" {
			continue
		}
		s.add(remember.Stamp{
			Path: id.Path, Missing: !id.Exists, Dev: id.Device, Ino: id.Inode, Size: uint64(id.Size), Mtime: id.ModTime, Ctime: id.Changed,
		})
	}
}

// readFile reads a file that takes part in a plan.
func (s *sources) readFile(name string) ([]byte, error) {
	s.addPath(name)
	return os.ReadFile(name)
}

func (s *sources) addPath(name string) {
	stamp, err := remember.Take(name)
	if err != nil {
		s.lost = true
		return
	}
	s.add(stamp)
}

// answered remembers what `assume` wrote, so that the same command need not think again. Failing at it costs the next
// run time and is not told.
func (f *planFlags) answered(a *app, r resolved, session assume.Session, payload string) {
	if f.store == nil || !f.repeatable(a, r) {
		return
	}
	life, ok := f.keeper.Life(r.from.key)
	if !ok {
		return
	}
	entry := f.store.Folder(sessionsFolder).Path(r.from.key.String())
	memo := remember.Memo{Life: life, Stdout: []byte(payload), Stderr: []byte(warningLines(r.plan))}
	if memo.Files, ok = f.madeFrom(a, r, entry); !ok {
		return
	}
	var err error
	if memo.Cwd, err = cwdThatMatters(memo.Files); err != nil {
		return
	}
	f.putMemo(a, memo, cache.Meta{Profile: r.chain.Name, Who: session.ARN, Made: life.Made, Expires: life.Expires})
}

// repeatable says whether the same command line in the same environment asks for the same again. What a machine itself
// gives is another thing on the next machine that shares this home.
func (f *planFlags) repeatable(a *app, r resolved) bool {
	if r.plan.Source.Kind == profile.SourceEC2 || r.plan.Source.Kind == profile.SourceContainer {
		return false
	}
	return !f.refresh && !a.debug && !a.readUnknown.Load() && !r.plan.MFACode.IsSet() && len(a.args) > 0 && !a.outIsTerminal()
}

// madeFrom are all the files that an answer was made from, if each can be told from its next state.
func (f *planFlags) madeFrom(a *app, r resolved, entry string) ([]remember.Stamp, bool) {
	from := f.settled(a, r)
	if token := r.plan.Source.Properties["web_identity_token_file"].Text; token != "" && r.plan.Exchange != nil {
		from.addPath(token)
	}
	program, err := os.Executable()
	if err != nil || from.lost || !from.young.IsZero() {
		return nil, false
	}
	files := from.files
	// These two are always replaced whole, so the clock's grain hides nothing.
	for _, path := range []string{entry, program} {
		stamp, err := remember.Take(path)
		if err != nil || stamp.Missing {
			return nil, false
		}
		files = append(files, stamp)
	}
	return files, true
}

// settleTime is how long the end of a run may be put off for files that were changed a moment ago.
const settleTime = 10 * time.Millisecond

// settled are the files of a plan in a state that can be relied on. Where one was changed within the clock's grain of
// its reading, the plan is made again from what is there now, and if it is the same one, so are its files.
func (f *planFlags) settled(a *app, r resolved) *sources {
	if r.from.young.IsZero() || r.from.lost {
		return r.from
	}
	wait := r.from.young.Sub(a.now())
	if wait > settleTime {
		return r.from
	}
	time.Sleep(wait + time.Millisecond)
	again, err := f.plan(a, r.from.name)
	if err != nil || !reflect.DeepEqual(again.plan, r.plan) || !reflect.DeepEqual(again.chain, r.chain) {
		return r.from
	}
	return again.from
}

func (f *cacheFlags) putMemo(a *app, memo remember.Memo, about cache.Meta) {
	p, _, err := f.store.Protection()
	if err != nil || p != sealed.Plain && p != sealed.Kernel {
		return // the early answer can't open the others
	}
	memos := f.store.Folder(remember.Folder)
	_ = memos.Put(remember.Key(a.args, a.environ()), memo.Encode(), about)
	if rand.N(sweepEvery) == 0 { //nolint:gosec // a chance, not a secret
		_ = memos.Sweep(a.now().Add(-maxMinTTL))
		_ = f.store.Folder(sessionsFolder).Sweep(a.now().Add(-3 * maxMinTTL))
	}
}

// sweepEvery is how many kept answers there are between two looks for those that have expired.
const sweepEvery = 32

// cwdThatMatters is the folder that the command was given in, if a path means something else in another.
func cwdThatMatters(files []remember.Stamp) (string, error) {
	for _, s := range files {
		if !filepath.IsAbs(s.Path) {
			return os.Getwd()
		}
	}
	return "", nil
}

// warningLines are what a run says of its plan, each time.
func warningLines(plan assume.Plan) string {
	lines := ""
	for _, w := range plan.Warnings {
		lines += "crossrole: warning: " + w + "\n"
	}
	return lines
}
