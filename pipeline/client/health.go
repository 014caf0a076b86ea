package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Health is the health of the system at one moment.
type Health struct {
	event.Health
	Place Place `json:"-"`
}

// Health is the latest health event, at once, and then each as it comes: every
// few seconds, and on every change of status. A consumer that has heard nothing
// for three intervals knows that nobody publishes health.
func (c *Client) Health(ctx context.Context) iter.Seq2[Health, error] {
	return func(yield func(Health, error) bool) {
		from, err := c.latest(ctx, stream.Health, stream.HealthStatus)
		if err != nil {
			if ctx.Err() == nil {
				yield(Health{}, err)
			}
			return
		}
		events := follow(ctx, c, stream.Health, []string{stream.HealthStatus}, Selection{FromSequence: from}, func(msg jetstream.Msg, at Place) (Health, error) {
			var wrapped event.StreamingHealth
			err := json.Unmarshal(msg.Data(), &wrapped)
			return Health{wrapped.Health, at}, err //nolint:wrapcheck // by follow
		})
		for health, err := range events {
			if !yield(health, err) {
				return
			}
		}
	}
}

// latest is where the last message of a subject is, or 1 where there is none.
func (c *Client) latest(ctx context.Context, name, subject string) (uint64, error) {
	of, err := c.js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("read stream %s: %w", name, err)
	}
	msg, err := of.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look up the last of %s: %w", subject, err)
	}
	return msg.Sequence, nil
}
