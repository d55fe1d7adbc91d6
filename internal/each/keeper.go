package each

import (
	"context"
	"time"
)

// keepWait is how long a session may wait to be kept together with others:
// keeping rewrites a file, which thousands must not do one by one.
const keepWait = time.Second

// keepMost is how many sessions wait at the most.
const keepMost = 1000

// keeper has sessions kept before their outcomes are told: what a journal
// calls done is where it should be.
type keeper struct {
	o       *Options
	ctx     func() context.Context
	next    func(*outcome)
	waiting []*outcome
	timer   *time.Timer
}

// newKeeper keeps on after ctx has ended, until Kill is closed: what was
// obtained is not lost.
func newKeeper(ctx context.Context, o *Options, next func(*outcome)) (k *keeper, release func()) {
	k = &keeper{o: o, next: next, timer: time.NewTimer(keepWait)}
	k.timer.Stop()
	keeping, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.ctx = func() context.Context { return keeping }
	go func() {
		select {
		case <-o.Kill:
			cancel()
		case <-keeping.Done():
		}
	}()
	return k, cancel
}

// due tells when what waits has waited for long enough.
func (k *keeper) due() <-chan time.Time { return k.timer.C }

// add takes an outcome; one whose session is to be kept may wait.
func (k *keeper) add(r *outcome) {
	if k.o.Keep == nil || r.code != codeDone {
		k.next(r)
		return
	}
	if len(k.waiting) == 0 {
		k.timer.Reset(keepWait)
	}
	if k.waiting = append(k.waiting, r); len(k.waiting) == keepMost {
		k.flush()
	}
}

// flush has all that waits kept.
func (k *keeper) flush() {
	k.timer.Stop()
	if len(k.waiting) == 0 {
		return
	}
	list := make([]Obtained, len(k.waiting))
	for i, r := range k.waiting {
		list[i] = Obtained{r.target, r.region, r.session}
	}
	for i, err := range k.o.Keep(k.ctx(), list) {
		r := k.waiting[i]
		r.err, r.code = err, k.o.Judge(r.target, err).Code
		k.next(r)
	}
	k.waiting = nil
}
