package assume

import (
	"testing"
	"time"
)

func TestSpell(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "59m59s": time.Hour - time.Second, "1h0m1s": time.Hour + time.Second,
		"0s": 400 * time.Millisecond, "20s": 20 * time.Second, "-2h": -2 * time.Hour,
	} {
		if got := Spell(d); got != want {
			t.Errorf("%s is spelled %s, want %s", d, got, want)
		}
	}
}
