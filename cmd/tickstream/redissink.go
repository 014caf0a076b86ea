package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/replay"
)

// redisSink publishes replayed ticks on a Redis channel, bytes as they came.
type redisSink struct {
	client  redis.UniversalClient
	channel string
	batch   [][]byte
}

var _ replay.Sink = (*redisSink)(nil)

const redisSinkBatch = 500

// Write implements [replay.Sink].
func (s *redisSink) Write(ctx context.Context, m replay.Message) error {
	s.batch = append(s.batch, m.Payload)
	if len(s.batch) < redisSinkBatch {
		return nil
	}
	return s.Flush(ctx)
}

// Flush implements [replay.Sink].
func (s *redisSink) Flush(ctx context.Context) error {
	if len(s.batch) == 0 {
		return nil
	}
	node, err := bus.ChannelNode(ctx, s.client, s.channel)
	if err != nil {
		return err
	}
	_, err = node.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, payload := range s.batch {
			pipe.Publish(ctx, s.channel, payload)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish on Redis channel %s: %w", s.channel, err)
	}
	s.batch = s.batch[:0]
	return nil
}
