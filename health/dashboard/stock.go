package dashboard

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	stockEvery  = 5 * time.Second
	stockWithin = 4 * time.Second
)

// streamStock is what one stream holds.
type streamStock struct {
	Name      string          `json:"name"`
	At        int64           `json:"at"` // when it was asked, Unix milliseconds
	Messages  uint64          `json:"messages"`
	Bytes     uint64          `json:"bytes"`
	First     int64           `json:"first"` // when the oldest was stored, Unix milliseconds; 0 for none
	Last      int64           `json:"last"`
	Sequence  uint64          `json:"sequence"`
	Replicas  int             `json:"replicas"`
	MaxBytes  int64           `json:"max_bytes"` // 0 or less for no bound
	MaxAge    float64         `json:"max_age"`   // seconds
	Consumers []consumerStock `json:"consumers"`
}

// consumerStock is how far one durable consumer is.
type consumerStock struct {
	Name    string `json:"name"`
	Pending uint64 `json:"pending"` // not delivered yet
	Unacked int    `json:"unacked"`
	Again   int    `json:"again"`   // delivered more than once
	Waiting int    `json:"waiting"` // pulls that wait for a message
}

// takeStock puts on the board what the streams hold, for as long as JetStream
// answers.
func (d *Dashboard) takeStock(ctx context.Context) {
	ticker := time.NewTicker(stockEvery)
	defer ticker.Stop()
	for {
		if stock, err := d.stock(ctx); err == nil {
			d.board.show(topicStock, stock)
		} else if ctx.Err() == nil {
			d.deps.Log.Debug("dashboard cannot look into the streams", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (d *Dashboard) stock(ctx context.Context) ([]streamStock, error) {
	if !d.deps.JetStream.Conn().IsConnected() {
		return nil, stream.ErrNotConnected
	}
	ctx, cancel := context.WithTimeout(ctx, stockWithin)
	defer cancel()
	stocks := []streamStock{}
	for _, name := range []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects} {
		s, err := d.deps.JetStream.Stream(ctx, name)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err //nolint:wrapcheck // told at debug level only
			}
			continue // it is yet to be made; health says so
		}
		info := s.CachedInfo()
		v := streamStock{
			Name: name, At: time.Now().UnixMilli(), Messages: info.State.Msgs, Bytes: info.State.Bytes, Sequence: info.State.LastSeq,
			Replicas: info.Config.Replicas, MaxBytes: info.Config.MaxBytes, MaxAge: info.Config.MaxAge.Seconds(),
			Consumers: []consumerStock{},
		}
		if info.State.Msgs > 0 {
			v.First, v.Last = info.State.FirstTime.UnixMilli(), info.State.LastTime.UnixMilli()
		}
		list := s.ListConsumers(ctx)
		for c := range list.Info() {
			if c.Config.Durable != "" {
				v.Consumers = append(v.Consumers, consumerOf(c))
			}
		}
		if err := list.Err(); err != nil {
			return nil, err //nolint:wrapcheck // told at debug level only
		}
		slices.SortFunc(v.Consumers, func(a, b consumerStock) int { return strings.Compare(a.Name, b.Name) })
		stocks = append(stocks, v)
	}
	return stocks, nil
}

func consumerOf(c *jetstream.ConsumerInfo) consumerStock {
	return consumerStock{Name: c.Name, Pending: c.NumPending, Unacked: c.NumAckPending, Again: c.NumRedelivered, Waiting: c.NumWaiting}
}
