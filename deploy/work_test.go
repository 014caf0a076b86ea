package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// batch publishes two messages atomically to a subject.
func (c *client) batch(ctx context.Context, subject string) error {
	msgs := make([]*nats.Msg, 2)
	for i := range msgs {
		msgs[i] = nats.NewMsg(subject)
		msgs[i].Header.Set(nats.MsgIdHdr, fmt.Sprintf("%s-%d", nats.NewInbox(), i))
		msgs[i].Data = []byte(`{}`)
	}
	if _, err := jetstreamext.PublishMsgBatch(ctx, c.js, msgs, jetstreamext.BatchFlowControl{}); err != nil {
		return fmt.Errorf("publish batch to %s: %w", subject, err)
	}
	return nil
}

// single publishes one message to a subject.
func (c *client) single(ctx context.Context, subject string) error {
	if _, err := c.js.Publish(ctx, subject, []byte(`{}`)); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	return nil
}

// direct reads a stream's first messages without a consumer.
func (c *client) direct(ctx context.Context, name string) error {
	found, err := jetstreamext.GetBatch(ctx, c.js, name, 10, jetstreamext.GetBatchSeq(1))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	read := 0
	for _, err := range found {
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		read++
	}
	if read == 0 {
		return fmt.Errorf("read %s: nothing there", name)
	}
	return nil
}

// atLeader reads a stream's first message from its leader.
func (c *client) atLeader(ctx context.Context, name string) error {
	reply, err := c.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+name, []byte(`{"seq":1}`))
	if err != nil {
		return fmt.Errorf("ask the leader of %s: %w", name, err)
	}
	if !bytes.Contains(reply.Data, []byte(`"message"`)) {
		return fmt.Errorf("the leader of %s answered %s", name, reply.Data)
	}
	return nil
}

// last reads a subject's newest message.
func (c *client) last(ctx context.Context, name, subject string) error {
	s, err := c.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("look up %s: %w", name, err)
	}
	if _, err := s.GetLastMsgForSubject(ctx, subject); err != nil {
		return fmt.Errorf("read the last of %s: %w", subject, err)
	}
	return nil
}

// durable consumes one message and acknowledges it.
func (c *client) durable(ctx context.Context, name string, filters ...string) error {
	consumer, err := c.js.CreateOrUpdateConsumer(ctx, name, jetstream.ConsumerConfig{
		Durable: c.user + "-test", AckPolicy: jetstream.AckExplicitPolicy, FilterSubjects: filters,
	})
	if err != nil {
		return fmt.Errorf("create consumer of %s: %w", name, err)
	}
	msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
	if err != nil {
		return fmt.Errorf("consume %s: %w", name, err)
	}
	// So often, because a role may answer any message eight times.
	for range 8 {
		if err := msg.InProgress(); err != nil {
			return fmt.Errorf("ask for time for a message of %s: %w", name, err)
		}
	}
	if err := msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge a message of %s: %w", name, err)
	}
	if _, err := consumer.Info(ctx); err != nil {
		return fmt.Errorf("look at consumer of %s: %w", name, err)
	}
	if err := c.js.DeleteConsumer(ctx, name, consumer.CachedInfo().Name); err != nil {
		return fmt.Errorf("delete consumer of %s: %w", name, err)
	}
	return nil
}

// ordered consumes one message with an ordered consumer.
func (c *client) ordered(ctx context.Context, name string) error {
	consumer, err := c.js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return fmt.Errorf("create ordered consumer of %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("consume %s: %w", name, err)
	}
	defer messages.Stop()
	if _, err := messages.Next(jetstream.NextContext(ctx)); err != nil {
		return fmt.Errorf("consume %s: %w", name, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at ordered consumer of %s: %w", name, err)
	}
	messages.Stop()
	if err := c.js.DeleteConsumer(ctx, name, info.Name); err != nil {
		return fmt.Errorf("delete ordered consumer of %s: %w", name, err)
	}
	return nil
}

// keyed writes, updates, reads and watches a key.
func (c *client) keyed(ctx context.Context, bucket, key string) error {
	kv, err := c.js.KeyValue(ctx, bucket)
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	revision, err := kv.Create(ctx, key, []byte("1"))
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	if _, err := kv.Update(ctx, key, []byte("2"), revision); err != nil {
		return fmt.Errorf("update %s: %w", key, err)
	}
	entry, err := kv.Get(ctx, key)
	if err != nil || string(entry.Value()) != "2" {
		return fmt.Errorf("get %s: %v, %w", key, entry, err)
	}
	return c.watched(ctx, bucket)
}

// watched reads all keys of a bucket, together and each.
func (c *client) watched(ctx context.Context, bucket string) error {
	kv, err := c.js.KeyValue(ctx, bucket)
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	keys, err := kv.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return fmt.Errorf("list the keys of %s: %w", bucket, err)
	}
	for _, key := range append(keys, "no-such-key") {
		if _, err := kv.Get(ctx, key); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
			return fmt.Errorf("get %s: %w", key, err)
		}
	}
	return nil
}

// observeStreams reads each stream in every way, and the consumers of it.
func observeStreams(ctx context.Context, c *client) error {
	for _, name := range streams {
		if err := errors.Join(c.ordered(ctx, name), c.direct(ctx, name)); err != nil {
			return err
		}
		s, err := c.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("look up %s: %w", name, err)
		}
		if _, err := s.Info(ctx, jetstream.WithSubjectFilter(">")); err != nil {
			return fmt.Errorf("subjects of %s: %w", name, err)
		}
		consumers := s.ListConsumers(ctx)
		for info := range consumers.Info() {
			if _, err := s.Consumer(ctx, info.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return fmt.Errorf("look up consumer: %w", err)
			}
		}
		names := s.ConsumerNames(ctx)
		for range names.Name() {
		}
		if err := errors.Join(consumers.Err(), names.Err()); err != nil {
			return fmt.Errorf("consumers of %s: %w", name, err)
		}
	}
	if _, err := c.js.StreamNameBySubject(ctx, stream.HealthStatus); err != nil {
		return fmt.Errorf("find a stream by its subject: %w", err)
	}
	listed := c.js.ListStreams(ctx)
	count := 0
	for range listed.Info() {
		count++
	}
	if err := listed.Err(); err != nil || count != len(streams)+len(buckets) {
		return fmt.Errorf("listed %d streams: %w", count, err)
	}
	return nil
}

// moveConsumer takes a consumer away from the client that it is pinned to, and
// lets it go on from another place.
func moveConsumer(ctx context.Context, c *client) error {
	const group = "workers"
	consumer, err := c.js.CreateOrUpdateConsumer(ctx, stream.Ticks, jetstream.ConsumerConfig{
		Durable: "move-test", AckPolicy: jetstream.AckExplicitPolicy,
		PriorityPolicy: jetstream.PriorityPolicyPinned, PriorityGroups: []string{group}, PinnedTTL: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("create pinned consumer: %w", err)
	}
	s, err := c.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up %s: %w", stream.Ticks, err)
	}
	if err := s.UnpinConsumer(ctx, "move-test", group); err != nil {
		return fmt.Errorf("unpin: %w", err)
	}
	if _, err := s.ResetConsumer(ctx, "move-test"); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	names := s.ConsumerNames(ctx)
	for range names.Name() {
	}
	consumers := s.ListConsumers(ctx)
	for range consumers.Info() {
	}
	if err := errors.Join(names.Err(), consumers.Err()); err != nil {
		return fmt.Errorf("list consumers: %w", err)
	}
	return c.js.DeleteConsumer(ctx, stream.Ticks, consumer.CachedInfo().Name)
}
