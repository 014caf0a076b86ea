package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// Partitions that ride on one scan have each message behind their own last one
// once and in order, ticks and marks, and are told when they have caught up.
func TestScanGivesEachPartitionItsOwn(t *testing.T) {
	t.Parallel()
	const partitions, messages = 4, 3000
	js := testbed.StartNATS(t).JetStream()
	quiet := slog.New(slog.DiscardHandler)
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: partitions}, quiet); err != nil {
		t.Fatal(err)
	}
	want := make([][]uint64, partitions)
	for i := range messages {
		symbol := fmt.Sprintf("S%d", i%37)
		subject, partition := stream.TickSubject(symbol), stream.PartitionOf(symbol, partitions)
		if i%10 == 0 {
			partition = i / 10 % partitions
			subject = stream.ClockSubject(partition)
		}
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: subject}); err != nil {
			t.Fatal(err)
		}
		want[partition] = append(want[partition], uint64(i+1))
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-t.Context().Done():
		t.Fatal("stopped")
	}
	s := newScan(js, quiet, partitions)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }() // ends with cancel
	inputs, last := [partitions - 1]*input{}, uint64(1000)
	for p := range inputs { // the last partition is another worker's
		inputs[p] = s.join(ctx, p, last)
	}
	for p, in := range inputs {
		got := read(t, in)
		var rest []uint64
		for _, sequence := range want[p] {
			if sequence > last {
				rest = append(rest, sequence)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(rest) {
			t.Errorf("partition %d: %d messages, want %d: %v…", p, len(got), len(rest), got[:min(len(got), 5)])
		}
		in.close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A scan for less than half of the partitions does not pay: they are sent back.
func TestScanOfFewPartitions(t *testing.T) {
	t.Parallel()
	js := testbed.StartNATS(t).JetStream()
	quiet := slog.New(slog.DiscardHandler)
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: 4}, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), stream.ClockSubject(0), nil); err != nil {
		t.Fatal(err)
	}
	s := newScan(js, quiet, 4)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }() // ends with cancel
	in := s.join(ctx, 0, 0)
	if got := read(t, in); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	in.close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// read is what in gives until it has caught up.
func read(t *testing.T, in *input) (sequences []uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		m, err := in.next(ctx)
		switch {
		case errors.Is(err, errCaughtUp):
			return sequences
		case errors.Is(err, errQuiet):
		case err != nil:
			t.Fatal(err)
		default:
			sequences = append(sequences, m.sequence)
		}
	}
}
