package stream_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestAwaitOutlastsAnOutage(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	n.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
		done <- err
	}()
	n.Start()
	if err := <-done; err != nil {
		t.Fatalf("Await = %v", err)
	}
	if findings, err := stream.Verify(t.Context(), js, stream.Config{}); err != nil || len(findings) > 0 {
		t.Errorf("after Await: %v, %v", findings, err)
	}
}

func TestAwaitReturnsWhatWaitingCannotMend(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Ticks, Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Await(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler)); !errors.Is(err, stream.ErrConflict) {
		t.Errorf("Await = %v, want the conflict", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stream.Await(ctx, js, stream.Config{Replicas: 2}, slog.New(slog.DiscardHandler)); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Await = %v, want the bad setting named", err)
	}
}
