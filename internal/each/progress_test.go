package each

import (
	"strings"
	"testing"
	"time"
)

// The line is never longer than the terminal is wide.
func TestProgressFits(t *testing.T) {
	p := &Progress{now: time.Now}
	p.counts.start = time.Now().Add(-time.Hour)
	p.counts.total, p.counts.done, p.counts.running, p.counts.failed = 50000, 12345, 64, 1234
	for width := 12; width < 120; width++ {
		if text := p.text(width); len(text) >= width || !strings.Contains(text, "12345") {
			t.Errorf("%d columns: %q", width, text)
		}
	}
}
