// Command crossrole turns a profile of ~/.aws/config into short-lived
// credentials for a role, usually in another account.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "crossrole/cmd/crossrole/early" // answers from memory before this package is initialised
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that deferred calls run and the script
// tests can call it.
func run() int {
	ctx, stop := untilStopped(context.Background())
	defer stop()
	return execute(ctx, newApp(), os.Args[1:])
}

// untilStopped ends with Ctrl-C or SIGTERM. What our parent ignores (as a shell
// does for a command in the background) stays ignored, for our children too.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	var heeded []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if !signal.Ignored(s) {
			heeded = append(heeded, s)
		}
	}
	if len(heeded) == 0 { // none would mean all
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, heeded...)
}
