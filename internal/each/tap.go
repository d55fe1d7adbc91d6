package each

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tapped gives a child pipes whose contents go to two writers; after is done
// when both have all.
func tapped(out, errs io.Writer, after ...func() error) (*streams, error) {
	o, err := newTap(out)
	if err != nil {
		return nil, err
	}
	e, err := newTap(errs)
	if err != nil {
		_ = o.end()
		return nil, err
	}
	finish := sync.OnceValue(func() error {
		err := errors.Join(o.end(), e.end())
		for _, f := range after {
			err = errors.Join(err, f())
		}
		return err
	})
	return &streams{out: o.in, errs: e.in, finish: finish}, nil
}

const (
	// linger is how long a child's pipe may stay silent after the child's end:
	// what it left running may hold it for ever.
	linger = 500 * time.Millisecond
	// lingerMost is what is still taken from it then: more than a pipe holds.
	lingerMost = 1 << 20
)

// tap is a pipe of which everything goes to a writer. One that fails is not
// written to again, and the rest is read and dropped: the child may go on.
type tap struct {
	in    *os.File // the child's end
	from  *os.File
	done  chan struct{}
	ended atomic.Bool
	err   error
}

func newTap(to io.Writer) (*tap, error) {
	from, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe for the command: %w", err)
	}
	t := &tap{in: in, from: from, done: make(chan struct{})}
	go t.copy(to)
	return t, nil
}

func (t *tap) copy(to io.Writer) {
	defer close(t.done)
	defer func() { _ = t.from.Close() }()
	buf := make([]byte, 16<<10)
	for lingering, left := false, lingerMost; left > 0; {
		n, err := t.from.Read(buf)
		if n > 0 && t.err == nil {
			_, t.err = to.Write(buf[:n])
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !lingering:
			lingering = true
		case err != nil:
			return
		}
		if lingering {
			left -= n
			_ = t.from.SetReadDeadline(time.Now().Add(linger)) // it took one before
		}
	}
}

// end is called when the child has ended: it waits for the rest of the output
// and tells whether all of it could be written.
func (t *tap) end() error {
	if t.ended.Swap(true) {
		<-t.done
		return t.err
	}
	_ = t.in.Close()
	_ = t.from.SetReadDeadline(time.Now()) // wakes the reader; where that is impossible it waits for the pipe's end
	<-t.done
	return t.err
}
