package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// heed ends a run at the first Ctrl-C (or SIGTERM, or when the terminal is
// closed), and its children at once at the second: kill is closed then. A reader
// of our output that goes away is an error to be told, not our end.
func heed(parent context.Context) (ctx context.Context, kill <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var heeded []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE} {
		if !signal.Ignored(s) {
			heeded = append(heeded, s)
		}
	}
	got, ended, now := make(chan os.Signal, 8), make(chan struct{}), make(chan struct{})
	if len(heeded) > 0 { // none would mean all
		signal.Notify(got, heeded...)
	}
	go func() {
		for times := 0; ; {
			select {
			case s := <-got:
				if s == syscall.SIGPIPE {
					continue
				}
				cancel(errInterrupted)
				if times++; times == 2 {
					close(now)
				}
			case <-ended:
				return
			}
		}
	}()
	return ctx, now, sync.OnceFunc(func() {
		signal.Stop(got)
		close(ended)
		cancel(nil)
	})
}
