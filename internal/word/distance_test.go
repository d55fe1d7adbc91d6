package word

import "testing"

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"list", "list", 0},
		{"lsit", "list", 1},
		{"assme", "assume", 1},
		{"asssume", "assume", 1},
		{"assoom", "assume", 3},
		{"", "list", 4},
		{"日本", "日木", 1},
	} {
		if got := Distance(tt.a, tt.b); got != tt.want || Distance(tt.b, tt.a) != got {
			t.Errorf("%q and %q: %d, not %d", tt.a, tt.b, got, tt.want)
		}
	}
}
