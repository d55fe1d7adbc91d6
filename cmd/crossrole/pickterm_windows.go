package main

import (
	"context"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/term"
)

// consoleAlwaysDraws: Windows sets no TERM, and its console draws.
const consoleAlwaysDraws = true

// raw lets the console be read key by key and understand escape sequences, and
// gives what undoes it.
func (t *terminal) raw() (restore func(), err error) {
	before, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return nil, err
	}
	screen := windows.Handle(t.out.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(screen, &mode); err == nil {
		_ = windows.SetConsoleMode(screen, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING|windows.ENABLE_PROCESSED_OUTPUT)
	}
	return func() {
		_ = windows.SetConsoleMode(screen, mode)
		_ = term.Restore(int(t.in.Fd()), before)
	}, nil
}

// resizes has the picker look at the window's size now and then: a console
// sends no signal.
func resizes(ctx context.Context) <-chan struct{} {
	resized := make(chan struct{})
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case <-ctx.Done():
				return
			case resized <- struct{}{}:
			}
		}
	}()
	return resized
}
