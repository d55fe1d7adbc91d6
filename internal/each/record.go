package each

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Record is one line of --format jsonl and of a journal, a documented shape.
type Record struct {
	Profile  string  `json:"profile"`
	Account  string  `json:"account"`
	Region   string  `json:"region"`
	ARN      string  `json:"arn"`
	ExitCode int     `json:"exit_code"`
	Seconds  float64 `json:"seconds"`
	Stdout   string  `json:"stdout"`
	Stderr   string  `json:"stderr"`
	Error    string  `json:"error"`
}

// newRecord is an outcome's record without what its command printed.
func newRecord(r *outcome) Record {
	rec := Record{
		Profile: r.target.Profile, Account: r.target.Account, Region: r.region, ARN: r.arn,
		ExitCode: r.code, Seconds: float64(int(r.seconds*1000)) / 1000,
	}
	if r.err != nil {
		rec.Error = r.err.Error()
	}
	return rec
}

const (
	recordBuffer = 64 << 10 // of a record is written at once
	recordPiece  = 16 << 10 // of an output is made JSON at once
)

// recorder writes records as lines of JSON. What a command printed may be longer
// than memory should hold: it is copied piece by piece. The zero recorder is
// ready for use.
type recorder struct {
	out   *bufio.Writer
	piece []byte
	text  bytes.Buffer
	enc   *json.Encoder
}

// write writes one line, and tells how long it is.
func (w *recorder) write(to io.Writer, r *outcome) (size int64, err error) {
	if w.out == nil {
		w.out, w.piece = bufio.NewWriterSize(nil, recordBuffer), make([]byte, recordPiece)
		w.enc = json.NewEncoder(&w.text)
		w.enc.SetEscapeHTML(false)
	}
	counted := &counter{to: to}
	w.out.Reset(counted)
	w.text.Reset()
	if err := w.enc.Encode(newRecord(r)); err != nil {
		return 0, err
	}
	// No string of the record can have these bytes: its quotes are escaped.
	head, tail, _ := bytes.Cut(bytes.Clone(w.text.Bytes()), []byte(`"stdout":"","stderr":"`))
	_, _ = w.out.Write(head) // an error stays with the writer until Flush
	_, _ = w.out.WriteString(`"stdout":"`)
	if err := w.copy(r.out.reader()); err != nil {
		return counted.n, err
	}
	_, _ = w.out.WriteString(`","stderr":"`)
	if err := w.copy(r.errs.reader()); err != nil {
		return counted.n, err
	}
	_, _ = w.out.Write(tail)
	err = w.out.Flush()
	return counted.n, err
}

// copy writes a text as the inside of a JSON string. Bytes that are no UTF-8
// become U+FFFD.
func (w *recorder) copy(from io.Reader) error {
	for have := 0; ; {
		n, err := from.Read(w.piece[have:])
		have += n
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		end := have
		if !last { // a character may go on in the next piece
			end = wholeRunes(w.piece[:have])
		}
		w.text.Reset()
		if err := w.enc.Encode(string(w.piece[:end])); err != nil {
			return err
		}
		if _, err := w.out.Write(bytes.TrimSuffix(w.text.Bytes(), []byte("\"\n"))[1:]); err != nil || last {
			return err
		}
		have = copy(w.piece, w.piece[end:have])
	}
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}
