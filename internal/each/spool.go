package each

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

const (
	// spoolBlock is how much of one output is in memory while it is written.
	spoolBlock = 64 << 10
	// spoolInMemory is what a finished output may keep in memory: thousands may
	// wait for the first.
	spoolInMemory = 4 << 10
)

// spoolStore is one file for all outputs that are too long for memory. It has
// no name any more, so that nothing of it is left behind, and takes one of the
// few files that a process may have open.
type spoolStore struct {
	mu   sync.Mutex
	file *os.File
	free []int64
	end  int64
}

// put writes a block and tells where it is.
func (s *spoolStore) put(block []byte) (int64, error) {
	at, err := s.place()
	if err != nil {
		return 0, fmt.Errorf("keeping a command's output: %w", err)
	}
	if _, err := s.file.WriteAt(block, at); err != nil {
		s.release(at)
		return 0, fmt.Errorf("keeping a command's output: %w", err)
	}
	return at, nil
}

func (s *spoolStore) place() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		f, err := os.CreateTemp("", "crossrole-each-")
		if err != nil {
			return 0, err
		}
		_ = os.Remove(f.Name()) // where an open file can't be removed, close does it
		s.file = f
	}
	if n := len(s.free); n > 0 {
		at := s.free[n-1]
		s.free = s.free[:n-1]
		return at, nil
	}
	at := s.end
	s.end += spoolBlock
	return at, nil
}

func (s *spoolStore) release(blocks ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, blocks...)
}

func (s *spoolStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
		s.file = nil
	}
}

// spool holds one output: full blocks in the store, the rest in memory.
type spool struct {
	store  *spoolStore
	blocks []int64
	last   int // bytes in the last block, once settled
	text   []byte
}

// Write takes more of the output.
func (s *spool) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(spoolBlock-len(s.text), len(p))
		s.text = append(s.text, p[:k]...)
		p = p[k:]
		if len(s.text) == spoolBlock {
			if err := s.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

func (s *spool) flush() error {
	at, err := s.store.put(s.text)
	if err != nil {
		return err
	}
	s.blocks, s.last, s.text = append(s.blocks, at), len(s.text), s.text[:0]
	return nil
}

// settle lets go of the memory that a finished output does not need.
func (s *spool) settle() error {
	if len(s.blocks) == 0 && len(s.text) <= spoolInMemory {
		s.text = bytes.Clone(s.text)
		return nil
	}
	var err error
	if len(s.text) > 0 {
		err = s.flush()
	}
	s.text = nil
	return err
}

// reader reads a settled output from its beginning; a nil spool is empty.
func (s *spool) reader() io.Reader {
	if s == nil {
		return bytes.NewReader(nil)
	}
	parts := make([]io.Reader, 0, len(s.blocks)+1)
	for i, at := range s.blocks {
		size := int64(spoolBlock)
		if i == len(s.blocks)-1 {
			size = int64(s.last)
		}
		parts = append(parts, io.NewSectionReader(s.store.file, at, size))
	}
	return io.MultiReader(append(parts, bytes.NewReader(s.text))...)
}

func (s *spool) close() {
	if s != nil {
		s.store.release(s.blocks...)
		s.blocks, s.text = nil, nil
	}
}
