//go:build !race

package profile

import (
	"fmt"
	"testing"
	"time"
)

// One profile of thousands is resolved in at most twice the time of reading
// the file and looking at the first byte of each line. The best of several
// rounds counts, because the machine has other things to do.
func TestResolveCostsAScan(t *testing.T) {
	for _, n := range benchSizes {
		files := manyProfiles(t, n)
		for round := 1; ; round++ {
			scan, resolve := best(t, func() error { return scanAll(files, n) }), best(t, func() error { return resolveLast(files, n) })
			t.Logf("%6d profiles: scan %v, resolve %v", n, scan, resolve)
			if n < 10_000 || resolve <= 2*scan && (n > 10_000 || resolve < 3*time.Millisecond) {
				break
			}
			if round == 5 {
				t.Errorf("of %d profiles, resolving one takes %v and a scan %v", n, resolve, scan)
				break
			}
		}
	}
}

func scanAll(files Files, n int) error {
	found, err := bareScan(files.Config)
	if err == nil && found != n+1 {
		err = fmt.Errorf("%d headers", found)
	}
	return err
}

func resolveLast(files Files, n int) error {
	s, err := Load(files, noEnv)
	if err == nil {
		_, err = s.Resolve(fmt.Sprintf("account-%05d", n-1))
	}
	return err
}

func best(t *testing.T, do func() error) time.Duration {
	t.Helper()
	least := time.Hour
	for range 30 {
		start := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		least = min(least, time.Since(start))
	}
	return least
}
