// Tickstream carries market ticks from Redis into JetStream and tells the
// truth about them on both.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
)

func main() {
	// Every failure that go-redis would print reaches us as an error as well.
	logging.Disable()
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		cancel(signalError{<-signals}) // everything drains
		second := <-signals
		_, _ = fmt.Fprintf(os.Stderr, "tickstream: ended at once by a second signal: %v\n", second)
		os.Exit(exitInterrupted)
	}()
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// signalError is the cause of a stop that a signal asked for.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string { return "signal: " + e.signal.String() }
