package observe

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// rowMeter asks the server how far the database is: what waits for the store's
// consumers, and since when.
type rowMeter struct{}

// storeConsumers are the store's, by their stream.
func storeConsumers() map[string]string {
	return map[string]string{"store_bars": stream.Bars, "store_indicators": stream.Signals, "store_patterns": stream.Signals}
}

func (rowMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	var rows Consumer
	for name, of := range storeConsumers() {
		consumer, err := m.js.Consumer(ctx, of, name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // no store has run
		}
		if err != nil {
			return fmt.Errorf("look up consumer %s: %w", name, err)
		}
		info := consumer.CachedInfo()
		pending := info.NumPending + uint64(max(0, info.NumAckPending))
		if pending == 0 {
			continue
		}
		rows.Pending += pending
		msg, err := first(ctx, m.js, of, jetstreamext.GetBatchSeq(info.AckFloor.Stream+1), jetstreamext.GetBatchSubject(info.Config.FilterSubjects[0]))
		if err != nil {
			return err
		}
		if msg != nil {
			rows.Lag = max(rows.Lag, m.server.Sub(msg.Time))
		}
	}
	facts.Rows = rows
	return nil
}
