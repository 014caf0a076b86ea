package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// consumerPrefix begins the names of the pipeline's durable consumers.
const consumerPrefix = "pipeline"

// consumerMeter asks the server how far the pipeline's consumers are.
type consumerMeter struct{}

func (consumerMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	if m.info == nil {
		facts.Consumers, facts.Partitions = nil, 0
		return nil
	}
	facts.Partitions = stream.PartitionsOf(m.info.Config)
	var consumers []Consumer
	list := m.ticks.ListConsumers(ctx)
	for info := range list.Info() {
		if info.Config.Durable == "" || !strings.HasPrefix(info.Name, consumerPrefix) {
			continue
		}
		c := Consumer{Name: info.Name, Pending: info.NumPending + uint64(max(0, info.NumAckPending))}
		if c.Pending > 0 {
			var err error
			if c.Lag, err = lagOf(ctx, m, info); err != nil {
				return fmt.Errorf("measure consumer %s: %w", info.Name, err)
			}
		}
		consumers = append(consumers, c)
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("list consumers of %s: %w", stream.Ticks, err)
	}
	slices.SortFunc(consumers, func(a, b Consumer) int { return cmp.Compare(a.Name, b.Name) })
	facts.Consumers = consumers
	return nil
}

// lagOf is the age of the oldest message that the consumer has not acknowledged,
// over all that it filters.
func lagOf(ctx context.Context, m *moment, info *jetstream.ConsumerInfo) (time.Duration, error) {
	filters := info.Config.FilterSubjects
	if len(filters) == 0 {
		filters = []string{info.Config.FilterSubject}
	}
	var lag time.Duration
	for _, filter := range filters {
		opts := []jetstreamext.GetBatchOpt{jetstreamext.GetBatchSeq(info.AckFloor.Stream + 1)}
		if filter != "" {
			opts = append(opts, jetstreamext.GetBatchSubject(filter))
		}
		msg, err := first(ctx, m.js, stream.Ticks, opts...)
		if err != nil {
			return 0, err
		}
		if msg != nil {
			lag = max(lag, m.server.Sub(msg.Time))
		}
	}
	return lag, nil
}
