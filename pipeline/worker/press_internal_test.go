package worker

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// What one partition's condition refuses is refused to it alone: the others of
// the same batch are stored, each once and in a row.
func TestPressRefusesOneAlone(t *testing.T) {
	t.Parallel()
	const partitions, rounds = 6, 40
	js := testbed.StartNATS(t).JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: partitions}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		partition int
		fault     string
	}
	p, outcomes := &press{js: js}, make(chan outcome)
	for partition := range partitions {
		go func() { // ends after its rounds
			fault := ""
			o := newOutbox(js, p, stream.Bars, partition, fmt.Sprint("w", partition), slog.New(slog.DiscardHandler), nil, nil, nil)
			for round := range rounds {
				at := position{sequence: uint64(round + 1)}
				msgs := []*nats.Msg{{Subject: stream.BarSubject("1min", fmt.Sprint("P", partition)), Header: nats.Header{}}, o.progress(at)}
				fenced := partition == 0 && round%2 == 1
				if fenced {
					msgs[1].Header.Set(nats.ExpectedLastSubjSeqHdr, "999999")
				}
				sequence, err := p.publish(t.Context(), msgs)
				switch {
				case fenced && !conflicts(err):
					fault = fmt.Sprintf("round %d: not refused: %v", round, err)
				case !fenced && err != nil:
					fault = fmt.Sprintf("round %d: %v", round, err)
				case !fenced:
					o.last = sequence
				}
			}
			outcomes <- outcome{partition, fault}
		}()
	}
	for range partitions {
		if o := <-outcomes; o.fault != "" {
			t.Errorf("partition %d: %s", o.partition, o.fault)
		}
	}
	s, err := js.Stream(t.Context(), stream.Bars)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(stream.AllBars))
	if err != nil {
		t.Fatal(err)
	}
	for partition := range partitions {
		want := uint64(rounds)
		if partition == 0 {
			want /= 2
		}
		if got := info.State.Subjects[stream.BarSubject("1min", fmt.Sprint("P", partition))]; got != want {
			t.Errorf("partition %d: %d stored, want %d", partition, got, want)
		}
	}
}
