package main

import (
	"bytes"
	"errors"
	"testing"
)

func TestMessagesCantDriveATerminal(t *testing.T) {
	var out bytes.Buffer
	a := &app{err: &out}
	a.fail(nil, withHints(errors.New("a\x1b[31m\u202eb\u009bc\r"), "log in: x\x1b]0;y\x07"))
	if want := "crossrole: a\ufffd[31m\ufffdb\ufffdc\ufffd\nhint: log in: x\ufffd]0;y\ufffd\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
