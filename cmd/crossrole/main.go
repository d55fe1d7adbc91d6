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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, newApp(), os.Args[1:])
}
