package credserver

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A token that is wrong at once takes as long to refuse as one that is wrong at
// its end, and as long as the right one takes to accept. The tokens are long, so
// that a comparison that stops early would show by a factor of hundreds.
func TestTheComparisonTakesTheSameTime(t *testing.T) {
	right := strings.Repeat("k", 1<<20)
	s, err := New(Config{Profiles: map[string]Provider{"dev": always(time.Hour)}, Token: right})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	took := map[string]time.Duration{}
	times := 1
	if runtime.GOOS == "windows" {
		times = 16 // its clock goes by the millisecond, or worse
	}
	for range 20 { // the quickest of many: the machine does other things too
		for name, token := range map[string]string{"right": right, "wrong at once": "x" + right[1:], "wrong at the end": right[1:] + "x"} {
			h := http.Header{"Authorization": {token}}
			begun := time.Now()
			for range times {
				if s.tokenMatches(h) != (name == "right") {
					t.Fatalf("%s: judged otherwise", name)
				}
			}
			if d := time.Since(begun); took[name] == 0 || d < took[name] {
				took[name] = d
			}
		}
	}
	for name, d := range took {
		if d > 3*took["right"] || took["right"] > 3*d {
			t.Errorf("%s takes %v, right takes %v", name, d, took["right"])
		}
	}
}
