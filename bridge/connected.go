package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// errDisconnected is the cause with which work ends whose connection was lost.
var errDisconnected = errors.New("connection to NATS lost")

// whileConnected is a context that ends when the connection is lost: an answer
// that was on the way then never comes.
func whileConnected(ctx context.Context, nc *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	lost := nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	context.AfterFunc(ctx, func() { nc.RemoveStatusListener(lost) }) // closes lost
	go func() {                                                      // ends with the context
		if _, ok := <-lost; ok {
			cancel(errDisconnected)
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// pause waits for d, or until the connection is back or ctx ends.
func pause(ctx context.Context, nc *nats.Conn, d time.Duration) {
	back := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(back)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-back:
	}
}

// awaitConnection waits until NATS is there.
func awaitConnection(ctx context.Context, nc *nats.Conn) error {
	for !nc.IsConnected() {
		// What came back between the look and the wait is seen soon enough.
		pause(ctx, nc, 250*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("await NATS: %w", err)
		}
	}
	return nil
}
