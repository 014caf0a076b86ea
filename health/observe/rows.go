package observe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// rowMeter asks the server how far the database is: what waits for the store's
// consumers, and since when.
type rowMeter struct{}

// storePrefix begins the names of the store's consumers.
const storePrefix = "store_"

func (rowMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	var rows Consumer
	for _, of := range []string{stream.Bars, stream.Signals} {
		s, err := m.js.Stream(ctx, of)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look up stream %s: %w", of, err)
		}
		list := s.ListConsumers(ctx)
		for info := range list.Info() {
			if strings.HasPrefix(info.Name, storePrefix) {
				if err := add(ctx, m, of, info, &rows); err != nil {
					return err
				}
			}
		}
		if err := list.Err(); err != nil {
			return fmt.Errorf("list consumers of %s: %w", of, err)
		}
	}
	facts.Rows = rows
	return nil
}

// add counts what waits for one consumer.
func add(ctx context.Context, m *moment, of string, info *jetstream.ConsumerInfo, rows *Consumer) error {
	pending := info.NumPending + uint64(max(0, info.NumAckPending))
	if pending == 0 {
		return nil
	}
	rows.Pending += pending
	filter := info.Config.FilterSubject
	if filter == "" && len(info.Config.FilterSubjects) > 0 {
		filter = info.Config.FilterSubjects[0]
	}
	msg, err := first(ctx, m.js, of, jetstreamext.GetBatchSeq(info.AckFloor.Stream+1), jetstreamext.GetBatchSubject(filter))
	if err != nil {
		return err
	}
	if msg != nil {
		rows.Lag = max(rows.Lag, m.server.Sub(msg.Time))
	}
	return nil
}
