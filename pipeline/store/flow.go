package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	apiTimeout = 5 * time.Second
	// linger is how long a batch waits for more once it has a message.
	linger = 100 * time.Millisecond
)

// flow stores one kind of event.
type flow struct {
	store   *Store
	durable string
	stream  string
	filters []string
	batch   int
	// encode makes a row; nil where the event is none.
	encode func(subject string, data []byte) (*row, error)
}

// run stores until ctx ends, or returns the error that ended it.
func (f *flow) run(ctx context.Context) error {
	setup, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	consumer, err := stream.TakeOver(setup, f.store.js, f.stream, jetstream.ConsumerConfig{
		Durable:        f.durable,
		Description:    "stores in PostgreSQL",
		FilterSubjects: f.filters,
		AckPolicy:      jetstream.AckAllPolicy,
		AckWait:        time.Hour, // whoever takes over makes it anew
		MaxAckPending:  4 * max(f.batch, 1000),
	}, true)
	if err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * max(f.batch, 100)))
	if err != nil {
		return fmt.Errorf("consume %s: %w", f.stream, err)
	}
	defer messages.Stop()
	for {
		batch, err := f.collect(ctx, messages)
		if err != nil {
			return err
		}
		if err := f.keep(ctx, batch); err != nil {
			return err
		}
		if err := batch[len(batch)-1].Ack(); err != nil {
			return fmt.Errorf("ack what is stored: %w", err)
		}
	}
}

// collect waits for one message and takes what comes with it.
func (f *flow) collect(ctx context.Context, messages jetstream.MessagesContext) ([]jetstream.Msg, error) {
	first, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", f.stream, err)
	}
	batch := []jetstream.Msg{first}
	wait, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	for len(batch) < f.batch {
		meta, err := batch[len(batch)-1].Metadata()
		if err != nil {
			return nil, fmt.Errorf("consume %s: %w", f.stream, err)
		}
		f.store.meter.pending(f.durable, meta.NumPending)
		msg, err := messages.Next(jetstream.NextContext(wait))
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("consume %s: %w", f.stream, err)
		}
		batch = append(batch, msg)
	}
	return batch, nil
}

// keep stores a batch, by table, in the order of the stream.
func (f *flow) keep(ctx context.Context, batch []jetstream.Msg) error {
	var order []string
	byTable := map[string][]*row{}
	for _, msg := range batch {
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("consume %s: %w", f.stream, err)
		}
		id := fmt.Sprintf("%s.%d.%d", f.durable, meta.Timestamp.UnixNano(), meta.Sequence.Stream)
		r, err := f.encode(msg.Subject(), msg.Data())
		if err != nil {
			if err := f.store.refuse(ctx, &row{subject: msg.Subject(), payload: msg.Data(), id: id}, err); err != nil {
				return err
			}
			continue
		}
		if r == nil || r.table == "" {
			continue
		}
		r.subject, r.payload, r.id = msg.Subject(), msg.Data(), id
		if byTable[r.table] == nil {
			order = append(order, r.table)
		}
		byTable[r.table] = append(byTable[r.table], r)
	}
	for _, name := range order {
		if err := f.store.write(ctx, name, byTable[name]); err != nil {
			return err
		}
	}
	return nil
}
