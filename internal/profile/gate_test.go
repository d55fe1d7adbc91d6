//go:build !race

package profile

import (
	"testing"
	"time"
)

// Of 10,000 profiles, one is resolved in at most twice the time of reading
// the file and looking at the first byte of each line. The best of several
// rounds counts, because the machine has other things to do.
func TestResolveCostsAScan(t *testing.T) {
	files := manyProfiles(t, 10_000)
	best := func(do func()) time.Duration {
		least := time.Hour
		for range 30 {
			start := time.Now()
			do()
			least = min(least, time.Since(start))
		}
		return least
	}
	var scan, resolve time.Duration
	for range 5 {
		scan = best(func() {
			if n, err := bareScan(files.Config); err != nil || n != 10_001 {
				t.Fatal(n, err)
			}
		})
		resolve = best(func() {
			s, err := Load(files, noEnv)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Resolve("account-09999"); err != nil {
				t.Fatal(err)
			}
		})
		if resolve <= 2*scan {
			t.Logf("scan %v, resolve %v", scan, resolve)
			return
		}
	}
	t.Errorf("resolving takes %v, a scan %v", resolve, scan)
}
