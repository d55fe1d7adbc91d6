package assume

import (
	"strings"
	"time"
)

// Spell writes a duration for a person, to the second and without what is zero at the end: 12h, 1h30m, 59m59s.
func Spell(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
