package stream

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
)

// OpenBucket returns what looks up a key-value bucket when it is needed, for it
// may be made later, until it is there: what is returned then also holds for a
// bucket that was deleted and made anew.
func OpenBucket(js jetstream.JetStream, name string) func(context.Context) (jetstream.KeyValue, error) {
	var opened atomic.Pointer[jetstream.KeyValue]
	return func(ctx context.Context) (jetstream.KeyValue, error) {
		if bucket := opened.Load(); bucket != nil {
			return *bucket, nil
		}
		bucket, err := js.KeyValue(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("look up bucket %s: %w", name, err)
		}
		opened.Store(&bucket)
		return bucket, nil
	}
}
