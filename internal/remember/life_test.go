package remember

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		whole  time.Duration
		asked  time.Duration
		person bool
		minTTL time.Duration
		age    time.Duration
		luck   float64
		want   Verdict
	}{
		{"new", time.Hour, 0, false, 0, 0, 0, Fresh},
		{"just above the window", time.Hour, 0, false, 0, 45 * time.Minute, 0, Fresh},
		{"just below the window", time.Hour, 0, false, 0, 45*time.Minute + 1, 0, Stale},
		{"an early riser", time.Hour, 0, false, 0, 43 * time.Minute, 0.9, Stale},
		{"a late riser", time.Hour, 0, false, 0, 43 * time.Minute, 0.1, Fresh},
		{"luck never reaches below the window", time.Hour, 0, false, 0, 46 * time.Minute, 0, Stale},
		{"a person: short", time.Hour, 0, true, 0, 46 * time.Minute, 0, Short},
		{"a person: fresh", time.Hour, 0, true, 0, 44 * time.Minute, 0, Fresh},
		{"a person: last moment", time.Hour, 0, true, 0, 59 * time.Minute, 0, Stale},
		{"expired", time.Hour, 0, true, 0, time.Hour, 0, Stale},
		{"long expired", time.Hour, 0, false, 0, 30 * day, 0, Stale},
		{"clock set back", time.Hour, 0, false, 0, -time.Minute, 0, Stale},
		{"clock set back, person", time.Hour, 0, true, 0, -30 * day, 0, Stale},
		{"read just before it was made", time.Hour, 0, false, 0, -time.Second, 0, Fresh},
		{"min-ttl met", time.Hour, 0, false, 30 * time.Minute, 30 * time.Minute, 0, Fresh},
		{"min-ttl not met", time.Hour, 0, true, 30 * time.Minute, 30*time.Minute + 1, 0, Stale},
		{"15 minutes were asked for", 15 * time.Minute, 15 * time.Minute, false, 0, 4 * time.Minute, 0.9, Fresh},
		{"15 minutes were asked for, 10 left", 15 * time.Minute, 15 * time.Minute, false, 0, 5 * time.Minute, 0, Stale},
		{"less came than was asked for", 14 * time.Minute, 0, false, 0, 0, 0, Stale},
		{"seconds", 4 * time.Second, 0, false, 0, 2900 * time.Millisecond, 0.9, Fresh},
		{"seconds, about to end", 4 * time.Second, 0, false, 0, 3 * time.Second, 0, Stale},
		{"expires before it was made", -time.Hour, 0, false, 0, 0, 0, Stale},
	} {
		l := Life{Made: noon, Expires: noon.Add(c.whole), Asked: c.asked, Person: c.person, MinTTL: c.minTTL}
		if got := l.Judge(noon.Add(c.age), c.luck); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What is judged worth handing out could always be served, whatever the numbers.
func TestNothingGoodIsUnusable(t *testing.T) {
	for whole := time.Duration(0); whole < 2*time.Hour; whole += 97 * time.Second {
		for age := -time.Minute; age < whole+time.Minute; age += 61 * time.Second {
			for _, person := range []bool{false, true} {
				l := Life{Made: noon, Expires: noon.Add(whole), Person: person}
				now := noon.Add(age)
				if l.Judge(now, 0.5) != Stale && !l.Usable(now) {
					t.Fatalf("%v of %v: good and not usable", age, whole)
				}
				if l.Usable(now) && !now.Before(l.Expires) {
					t.Fatalf("%v of %v: usable and expired", age, whole)
				}
			}
		}
	}
}
