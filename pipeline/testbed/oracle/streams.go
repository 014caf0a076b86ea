package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Publish stores messages in TICKS, marks in each of its partitions, each once
// and in order whatever happens to the server meanwhile, with a pause after
// every hundred.
func Publish(ctx context.Context, js jetstream.JetStream, partitions int, messages []Message, pause time.Duration) error {
	for i, m := range messages {
		var msgs []*nats.Msg
		if m.Tick != nil {
			msgs = append(msgs, &nats.Msg{Subject: stream.TickSubject(m.Tick.Symbol), Data: m.Tick.AppendRawJSON(nil)})
		} else {
			data, err := json.Marshal(event.NewClockMark(m.Mark))
			if err != nil {
				return fmt.Errorf("encode mark: %w", err)
			}
			for p := range partitions {
				msgs = append(msgs, &nats.Msg{Subject: stream.ClockSubject(p), Data: data})
			}
		}
		for k, msg := range msgs {
			msg.Header = nats.Header{nats.MsgIdHdr: {fmt.Sprintf("traffic.%d.%d.%d", messages[0].Sequence, i, k)}}
			if err := publish(ctx, js, msg); err != nil {
				return err
			}
		}
		if i%100 == 99 && pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
	return nil
}

func publish(ctx context.Context, js jetstream.JetStream, msg *nats.Msg) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err := js.PublishMsg(attempt, msg)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err() //nolint:wrapcheck // the test has ended
		}
	}
}

// WorkedThrough tells whether every partition's consumer has acknowledged all
// of TICKS.
func WorkedThrough(ctx context.Context, js jetstream.JetStream, partitions int) bool {
	for p := range partitions {
		c, err := js.Consumer(ctx, stream.Ticks, "pipeline_"+strconv.Itoa(p))
		if err != nil {
			return false
		}
		if info := c.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 {
			return false
		}
	}
	return true
}

// ReadPublished reads all of BARS, SIGNALS and the pipeline's REJECTS.
func ReadPublished(ctx context.Context, js jetstream.JetStream) (*Published, error) {
	indicators, err := indicator.NewSet()
	if err != nil {
		return nil, fmt.Errorf("all indicators: %w", err)
	}
	got := NewPublished()
	err = Each(ctx, js, stream.Bars, []string{stream.AllBars}, func(msg jetstream.Msg, _ uint64) error {
		var b event.Bar
		if err := json.Unmarshal(msg.Data(), &b); err != nil {
			return fmt.Errorf("read bar: %w", err)
		}
		got.Bar(b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = Each(ctx, js, stream.Signals, []string{stream.AllSignals}, func(msg jetstream.Msg, _ uint64) error {
		return got.SignalMessage(msg.Data(), indicators)
	})
	if err != nil {
		return nil, err
	}
	err = Each(ctx, js, stream.Rejects, []string{stream.AllRejects}, func(msg jetstream.Msg, _ uint64) error {
		if msg.Subject() != stream.RejectSubject("too_late") {
			got.Refused[string(msg.Data())]++
			return nil
		}
		sequence, err := strconv.ParseUint(strings.TrimPrefix(msg.Headers().Get(nats.MsgIdHdr), "ticks."), 10, 64)
		if err != nil {
			return fmt.Errorf("read whose reject it is: %w", err)
		}
		if got.TooLate[sequence] {
			got.fault(0, "tick %d was refused twice", sequence)
		}
		got.TooLate[sequence] = true
		return nil
	})
	return got, err
}

// ReadTicks reads the messages of TICKS by partition.
func ReadTicks(ctx context.Context, js jetstream.JetStream, count int) ([][]Message, error) {
	partitions := make([][]Message, count)
	for p := range partitions {
		var err error
		if partitions[p], err = ReadPartition(ctx, js, p); err != nil {
			return nil, err
		}
	}
	return partitions, nil
}

// ReadPartition reads the messages of one partition of TICKS.
func ReadPartition(ctx context.Context, js jetstream.JetStream, partition int) ([]Message, error) {
	decoder, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		return nil, fmt.Errorf("make tick decoder: %w", err)
	}
	var messages []Message
	err = Each(ctx, js, stream.Ticks, []string{stream.PartitionFilter(partition)}, func(msg jetstream.Msg, seq uint64) error {
		if _, ok := stream.ParseStoredTick(msg.Subject()); ok {
			var decoded tick.Tick
			if err := decoder.Decode(msg.Data(), time.Now(), &decoded); err != nil {
				return fmt.Errorf("decode tick %d: %w", seq, err)
			}
			clone := decoded.Clone()
			messages = append(messages, Message{Sequence: seq, Tick: &clone})
			return nil
		}
		if _, ok := stream.ParseClockMark(msg.Subject()); !ok {
			return fmt.Errorf("message %d is on %s", seq, msg.Subject())
		}
		var mark event.ClockMark
		if err := json.Unmarshal(msg.Data(), &mark); err != nil {
			return fmt.Errorf("read mark %d: %w", seq, err)
		}
		messages = append(messages, Message{Sequence: seq, Mark: mark.Time.Time})
		return nil
	})
	return messages, err
}

// Each reads a stream from its beginning to what is its end now.
func Each(ctx context.Context, js jetstream.JetStream, name string, filters []string, take func(msg jetstream.Msg, sequence uint64) error) error {
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer messages.Stop()
	for range info.NumPending {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := take(msg, meta.Sequence.Stream); err != nil {
			return err
		}
	}
	return nil
}
