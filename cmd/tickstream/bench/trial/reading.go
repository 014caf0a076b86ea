package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// reading is what a stream holds of a load, by the times at which the server
// stored it.
type reading struct {
	ticks, lost, doubled, disordered int64
	foreign                          int64
	first, last                      time.Time
	delays                           figure.Delays // from sending to being stored
}

// read compares a stream with the load that was published.
func (s *store) read(ctx context.Context, name, filter string, ticks int64, symbols int) (*reading, error) {
	r := &reading{delays: make(figure.Delays, 0, ticks)}
	seen := make([]bool, ticks)
	newest := make([]int64, symbols)
	for i := range newest {
		newest[i] = -1
	}
	err := oracle.Each(ctx, s.js, name, []string{filter}, func(msg jetstream.Msg, _ uint64) error {
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		n, sent, ok := load.Parse(msg.Data())
		if !ok || n < 0 || n >= ticks {
			r.foreign++
			return nil
		}
		if r.first.IsZero() {
			r.first = meta.Timestamp
		}
		r.last = meta.Timestamp
		if seen[n] {
			r.doubled++
			return nil
		}
		seen[n] = true
		r.ticks++
		r.delays = append(r.delays, meta.Timestamp.Sub(sent))
		if symbol := n % int64(symbols); newest[symbol] > n {
			r.disordered++
		} else {
			newest[symbol] = n
		}
		return nil
	})
	r.lost = ticks - r.ticks
	return r, err
}

// rate is how many were stored a second.
func (r *reading) rate() float64 {
	if took := r.last.Sub(r.first).Seconds(); took > 0 {
		return float64(r.ticks-1) / took
	}
	return 0
}

// problem says what is wrong with it; empty for nothing.
func (r *reading) problem(of string) string {
	if r.lost+r.doubled+r.disordered+r.foreign == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %d ticks lost, %d doubled, %d out of order, %d of somebody else", of, r.lost, r.doubled, r.disordered, r.foreign)
}
