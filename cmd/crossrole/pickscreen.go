package main

import (
	"context"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"crossrole/internal/assume"
)

// What the picker sends to a terminal: its other screen, so that what was there
// comes back, and no cursor.
const (
	screenOn  = "\x1b[?1049h\x1b[?25l"
	screenOff = "\x1b[?25h\x1b[?1049l"
	// redraw begins a frame: back to the top; each line then erases its rest.
	redraw    = "\x1b[H"
	eraseLine = "\x1b[K"
	eraseRest = "\x1b[J"
)

// afterEscape is how long the rest of an escape sequence may take: then it was
// the key Esc.
const afterEscape = 50 * time.Millisecond

// onScreen is the picker of a terminal that draws.
func (p *picker) onScreen(ctx context.Context, t *terminal, style pickStyle) (string, error) {
	restore, err := t.raw()
	if err != nil {
		return "", &assume.PersonError{Doing: "choosing a profile", Why: "the terminal can't be read key by key", Err: err}
	}
	defer restore()
	if _, err := io.WriteString(t.out, screenOn); err != nil {
		return "", err
	}
	defer func() { _, _ = io.WriteString(t.out, screenOff) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chosen, err := p.loop(ctx, t, style, typedKeys(ctx, t.in), resizes(ctx))
	switch {
	case err != nil:
		return "", err
	case !chosen:
		return "", &exitError{Code: exitInterrupted, Err: errNothingChosen}
	}
	return p.names[p.found[p.at].Index], nil
}

// loop draws and listens until the person has chosen or given up.
func (p *picker) loop(ctx context.Context, t *terminal, style pickStyle, typed <-chan []byte, resized <-chan struct{}) (bool, error) {
	var pending []byte
	for {
		height, err := p.show(t, style)
		if err != nil {
			return false, err
		}
		var rest <-chan time.Time
		if len(pending) > 0 {
			rest = time.After(afterEscape)
		}
		final := false
		select {
		case <-ctx.Done():
			return false, errInterrupted
		case <-resized:
			continue
		case <-rest:
			final = true
		case in, ok := <-typed:
			if !ok {
				return false, &assume.PersonError{Doing: "choosing a profile", Why: "the terminal is gone"}
			}
			pending = append(pending, in...)
		}
		for len(pending) > 0 {
			k, text, size := nextKey(pending, final)
			if size == 0 {
				break
			}
			pending = pending[size:]
			if over, chosen := p.press(k, text, max(1, height-1)); over {
				return chosen, nil
			}
		}
	}
}

// show draws one frame in one write.
func (p *picker) show(t *terminal, style pickStyle) (height int, err error) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	lines := p.draw(style, width, height)
	_, err = io.WriteString(t.out, redraw+strings.Join(lines, eraseLine+"\r\n")+eraseLine+eraseRest)
	return height, err
}

// typedKeys reads the terminal. Its goroutine ends with the terminal or, at the
// latest, with the process.
func typedKeys(ctx context.Context, in io.Reader) <-chan []byte {
	typed := make(chan []byte)
	go func() {
		defer close(typed)
		for {
			buf := make([]byte, 256)
			n, err := in.Read(buf)
			if n > 0 {
				select {
				case typed <- buf[:n]:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return typed
}
