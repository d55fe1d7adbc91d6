package each

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
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

// newRecord reads the outcome's output; bytes that are no UTF-8 become U+FFFD.
func newRecord(r *outcome) (Record, error) {
	rec := Record{
		Profile: r.target.Profile, Account: r.target.Account, Region: r.region, ARN: r.arn,
		ExitCode: r.code, Seconds: float64(int(r.seconds*1000)) / 1000,
	}
	if r.err != nil {
		rec.Error = r.err.Error()
	}
	var err error
	if rec.Stdout, err = r.out.read(); err == nil {
		rec.Stderr, err = r.errs.read()
	}
	return rec, err
}

func (s *spool) read() (string, error) {
	var b strings.Builder
	b.Grow(s.size())
	_, err := io.Copy(&b, s.reader())
	return b.String(), err
}

// line is the record as a line of JSON.
func (rec Record) line() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(rec)
	return b.Bytes(), err
}
