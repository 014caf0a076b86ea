package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestPresenceLastsUntilAllIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		drained := make(chan struct{})
		withdrawn := false
		present := role{"presence", func(ctx context.Context) error {
			<-ctx.Done()
			withdrawn = true
			return nil
		}}
		failure := errors.New("not all was stored")
		done := make(chan error, 1)
		go func() {
			done <- whilePresent(ctx, present, func(context.Context) error {
				<-drained
				return failure
			})
		}()
		stop()
		synctest.Wait()
		if withdrawn {
			t.Error("withdrawn while it drains")
		}
		close(drained)
		if err := <-done; !errors.Is(err, failure) || !withdrawn {
			t.Errorf("whilePresent = %v, withdrawn %v", err, withdrawn)
		}
	})
}
