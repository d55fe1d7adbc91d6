package remember

import "time"

// Stamp tells one state of a file from every other, without reading it: its device, inode, size, and the times of its
// last change, in nanoseconds since 1970. A file that is not there has a stamp too.
type Stamp struct {
	Path    string
	Missing bool
	Dev     uint64
	Ino     uint64
	Size    uint64
	Mtime   int64
	Ctime   int64 // a change of the content moves it, whatever sets the mtime back
}

const stampNumbers = 6

func (s Stamp) numbers() [stampNumbers]uint64 {
	var missing uint64
	if s.Missing {
		missing = 1
	}
	return [...]uint64{missing, s.Dev, s.Ino, s.Size, uint64(s.Mtime), uint64(s.Ctime)}
}

func (s *Stamp) setNumbers(n [stampNumbers]uint64) {
	s.Missing, s.Dev, s.Ino, s.Size, s.Mtime, s.Ctime = n[0] == 1, n[1], n[2], n[3], int64(n[4]), int64(n[5])
}

// Same says whether the file is in the state of the stamp.
func (s Stamp) Same() bool {
	now, err := Take(s.Path)
	return err == nil && now == s
}

const (
	// grain is longer than the tick with which kernels stamp files (at most 10 ms).
	grain = 15 * time.Millisecond
	// coarseGrain is that of file systems that keep whole or even seconds.
	coarseGrain = 2 * time.Second
)

// Settled says whether a later change of the file is sure to change its stamp, if the stamp was taken at the time now.
// A file that was changed within the clock's grain of that may change again and keep its times.
func (s Stamp) Settled(now time.Time) bool { return s.Missing || now.After(s.SettledAt()) }

// SettledAt is the time after which the file's stamp is settled, unless the file is changed again.
func (s Stamp) SettledAt() time.Time {
	need := grain
	if s.Mtime%int64(time.Second) == 0 {
		need = coarseGrain
	}
	return time.Unix(0, max(s.Mtime, s.Ctime)).Add(need)
}
