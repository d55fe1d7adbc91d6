package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"crossrole/internal/assume"
)

// terminal is the terminal device: what a person types and sees even when
// stdin, stdout and stderr all go elsewhere.
type terminal struct {
	in, out *os.File
}

func (t *terminal) Close() {
	_ = t.in.Close()
	if t.out != t.in {
		_ = t.out.Close()
	}
}

// maxCodeTries is how often a mistyped code is asked for again.
const maxCodeTries = 3

// askCode asks for an MFA code on the terminal device.
func (a *app) askCode(ctx context.Context, q assume.CodeQuestion) (string, error) {
	doing := "asking for an MFA code of " + strconv.Quote(q.Serial)
	t, err := a.openTerminal()
	if err != nil {
		return "", &assume.PersonError{
			Doing: doing, Why: "there is no terminal to ask on", Err: err,
			Advice: []string{"run `crossrole assume " + shellWord(q.Profile) + "` in a terminal, give --mfa-code, or set mfa_process"},
		}
	}
	defer t.Close()
	if q.Refused {
		_, _ = io.WriteString(t.out, "AWS refused that code: it was mistyped, or used before. Wait for the next one.\n")
	}
	for range maxCodeTries {
		text, err := t.askHidden(ctx, "MFA code of "+strconv.Quote(q.Serial)+" for "+q.For+": ")
		if err != nil {
			return "", personGone(doing, err)
		}
		if err := assume.CheckCode(text); err == nil {
			return text, nil
		} else if _, werr := io.WriteString(t.out, err.Error()+"\n"); werr != nil {
			break
		}
	}
	return "", &assume.PersonError{Doing: doing, Why: "what was typed is no code of 6 digits"}
}

func personGone(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return errInterrupted
	}
	return &assume.PersonError{Doing: doing, Why: "nothing was typed", Err: err}
}

// askHidden reads a line without echo. Whatever ends it, the terminal is put
// back as it was.
func (t *terminal) askHidden(ctx context.Context, prompt string) (string, error) {
	restore, err := hideEcho(t.in)
	if err != nil {
		return "", err
	}
	defer func() {
		restore()
		_, _ = io.WriteString(t.out, "\n")
	}()
	return t.askLine(ctx, prompt)
}

// confirm asks a question whose answer is yes or no; only a "y" is a yes.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	t, err := a.openTerminal()
	if err != nil {
		return false, &assume.PersonError{Doing: "asking: " + question, Why: "there is no terminal to ask on", Advice: []string{"give --yes"}, Err: err}
	}
	defer t.Close()
	text, err := t.askLine(ctx, question+" [y/N] ")
	if err != nil {
		return false, personGone("asking: "+question, err)
	}
	return strings.EqualFold(text, "y") || strings.EqualFold(text, "yes"), nil
}

// askLine reads a line.
func (t *terminal) askLine(ctx context.Context, prompt string) (string, error) {
	if _, err := io.WriteString(t.out, prompt); err != nil {
		return "", err
	}
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := bufio.NewReader(t.in).ReadString('\n')
		got <- answer{text, err}
	}()
	select {
	case a := <-got:
		if errors.Is(a.err, io.EOF) && a.text != "" {
			a.err = nil
		}
		return strings.TrimSpace(a.text), a.err
	case <-ctx.Done():
		return "", context.Canceled
	}
}
