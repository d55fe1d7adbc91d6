package remember

import "time"

const (
	// SDKWindow is how much must be left of a session for an SDK to be content with it: botocore refreshes one that has
	// less, at each request.
	SDKWindow = 15 * time.Minute
	// sdkLeast is what botocore fails without (it demands 10 minutes), and a minute to get there.
	sdkLeast = 11 * time.Minute

	// spread is the longest by which one process renews before another, so that a crowd does not wake at once.
	spread = 3 * time.Minute
	// clockSlack is how far an entry's making may lie ahead of the clock: less than that is two clocks read in turn.
	clockSlack = 5 * time.Second
	// lastMoment is the longest end of a session that nobody gets: it would expire on the way.
	lastMoment = time.Minute
	// passing is the life of sessions so short that no window fits in it.
	passing = 2 * time.Minute
)

// Life is all that decides whether a session may still be handed out. Times are by this machine's clock.
type Life struct {
	Made    time.Time     // when the session was made
	Expires time.Time     // when it ends
	Asked   time.Duration // the duration that was asked for; zero is STS's hour
	Person  bool          // a new one needs a person, for an MFA code or a login
	MinTTL  time.Duration // what --min-ttl demands; zero is nothing
}

// Verdict is what may be done with a session.
type Verdict int

const (
	// Stale is not to be handed out: it has expired, is about to, or can be renewed without asking anybody.
	Stale Verdict = iota
	// Short may be handed out, and the person told that little is left: only they can renew it.
	Short
	// Fresh may be handed out.
	Fresh
)

// Judge says what may be done with the session at the time now. luck, in [0, 1), spreads the renewals of many
// processes.
//
// A clock that was set back shows as a session made in the future: nobody can tell when that one ends, so it is stale.
func (l Life) Judge(now time.Time, luck float64) Verdict {
	left := l.Expires.Sub(now)
	switch {
	case now.Before(l.Made.Add(-clockSlack)), left <= l.end(), left < l.MinTTL:
		return Stale
	case l.Person && left < SDKWindow:
		return Short
	case !l.Person && left < l.least(luck):
		return Stale
	}
	return Fresh
}

// Usable says whether the session would still be accepted: what is left to serve when it can't be renewed.
func (l Life) Usable(now time.Time) bool {
	left := l.Expires.Sub(now)
	return !now.Before(l.Made.Add(-clockSlack)) && left > l.end() && left >= l.MinTTL
}

func (l Life) whole() time.Duration { return l.Expires.Sub(l.Made) }

// end is the last part of a session that nobody gets: a tenth, but a minute at most and a second at least, where a
// quarter of it is not less.
func (l Life) end() time.Duration {
	whole := l.whole()
	return min(lastMoment, max(whole/10, min(time.Second, whole/4)))
}

// least is what must be left of a session that can be renewed without a person. One that was asked for so short that
// it never satisfies the SDKs' window is kept as long as they take it at all; renewing it at each call would help
// nobody.
func (l Life) least(luck float64) time.Duration {
	whole := l.whole()
	switch {
	case whole <= passing:
		return l.end()
	case l.Asked > 0 && l.Asked <= SDKWindow:
		return sdkLeast
	}
	width := min(spread, max(0, whole-SDKWindow)/4)
	return SDKWindow + time.Duration(luck*float64(width))
}
