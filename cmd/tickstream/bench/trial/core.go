package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// nowhere takes results and counts them.
type nowhere struct{ bars, signals int64 }

func (n *nowhere) Bar(*event.Bar) { n.bars++ }
func (n *nowhere) BarsDone()      {}
func (n *nowhere) Indicator(*event.IndicatorTemplate, event.BarKey, []float64, uint32, bool) {
	n.signals++
}
func (n *nowhere) Pattern(*event.Pattern)      { n.signals++ }
func (n *nowhere) Alert(*event.IndicatorAlert) { n.signals++ }
func (n *nowhere) TooLate(*tick.Tick)          {}

// coreTime is how long the core runs in each round.
const coreTime = time.Second

// Core is what one tick costs on one core from its bytes to the updated bar,
// without servers: closes, indicators and patterns included.
func Core(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "core: decode and aggregate, one core, no server",
		Notes: []string{
			fmt.Sprintf("%d symbols, a tick a second of each; each minute all bars close with all indicators and patterns, results are counted and dropped.", l.cfg.Symbols),
			"Within a minute: the same without the ticks that close bars. Ceiling: encoding/json alone, into a struct of five fields.",
		},
	}
	c, err := newCore(l.cfg.Symbols)
	if err != nil {
		return part, err
	}
	var plain, whole, within, allocated figure.Series
	for range l.cfg.Rounds {
		if ctx.Err() != nil {
			return part, fmt.Errorf("measure the core: %w", context.Cause(ctx))
		}
		nanos, err := c.plainJSON()
		if err != nil {
			return part, err
		}
		plain = append(plain, nanos)
		cost, err := c.run()
		if err != nil {
			return part, err
		}
		whole, within, allocated = append(whole, cost.whole), append(within, cost.within), append(allocated, cost.allocations)
	}
	part.Rows = []figure.Row{
		{Name: "encoding/json", Unit: "ns/tick", Values: plain},
		{Name: "decode and aggregate", Unit: "ns/tick", Values: whole, Ratio: whole.Over(plain)},
		{Name: "decode and aggregate within a minute", Unit: "ns/tick", Values: within, Ratio: within.Over(plain)},
		{Name: "allocations within a minute", Unit: "/tick", Values: allocated},
	}
	v := atMost("decode + aggregate, one core", whole, 250, "ns")
	v.Wanted += " and 0 allocations per tick"
	v.Measured += fmt.Sprintf(", %.3f allocations", allocated.Median())
	v.Met = v.Met && allocated.Median() < 0.001 // what the runtime itself allocates meanwhile
	part.Verdicts = []figure.Verdict{v}
	return part, nil
}

// core is the inner part of a pipeline over one partition.
type core struct {
	symbols    int
	templates  *load.Ticks
	decoder    *tick.Decoder
	aggregator *aggregate.Partition
	tick       tick.Tick
	out        *nowhere
	clock      time.Time
	number     int64
	payloads   [][]byte // of one second
}

func newCore(symbols int) (*core, error) {
	c := &core{symbols: symbols, templates: load.NewTicks(symbols), out: &nowhere{}, payloads: make([][]byte, symbols)}
	var err error
	if c.decoder, err = tick.NewDecoder(tick.Limits{}); err != nil {
		return nil, fmt.Errorf("make the tick decoder: %w", err)
	}
	if c.aggregator, err = aggregate.New(aggregate.Config{}, c.out); err != nil {
		return nil, fmt.Errorf("make the aggregator: %w", err)
	}
	c.clock = time.Now().Add(-24 * time.Hour).Truncate(time.Minute)
	for range 70 * 60 { // until bars leave the window of corrections
		if _, err := c.second(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// second makes a second's payloads and takes them in; the time is that of
// taking them in.
func (c *core) second() (time.Duration, error) {
	c.clock = c.clock.Add(time.Second)
	for i := range c.payloads {
		c.payloads[i] = c.templates.Append(c.payloads[i][:0], c.number+int64(i), c.clock, c.clock)
	}
	began := time.Now()
	for _, payload := range c.payloads {
		if err := c.decoder.Decode(payload, c.clock, &c.tick); err != nil {
			return 0, fmt.Errorf("decode a tick: %w", err)
		}
		c.number++
		c.aggregator.Tick(&c.tick, uint64(c.number)) //nolint:gosec // not negative
	}
	return time.Since(began), nil
}

// coreCost is for each tick.
type coreCost struct{ whole, within, allocations float64 }

func (c *core) run() (coreCost, error) {
	var whole, within time.Duration
	var seconds, quiet, allocated int64
	var before, after runtime.MemStats
	runtime.GC()
	for whole < coreTime || seconds%60 != 0 {
		bars := c.out.bars
		measured := seconds%60 == 30 // reading the counter stops the world
		if measured {
			runtime.ReadMemStats(&before)
		}
		took, err := c.second()
		if err != nil {
			return coreCost{}, err
		}
		if measured {
			runtime.ReadMemStats(&after)
			allocated += int64(after.Mallocs - before.Mallocs) //nolint:gosec // few
		}
		seconds++
		whole += took
		if c.out.bars == bars {
			within += took
			quiet++
		}
	}
	ticks := float64(c.symbols)
	return coreCost{
		whole:       float64(whole) / (ticks * float64(seconds)),
		within:      float64(within) / (ticks * float64(max(quiet, 1))),
		allocations: float64(allocated) / (ticks * float64(seconds/60)),
	}, nil
}

// plainJSON is what encoding/json takes for a tick, in nanoseconds.
func (c *core) plainJSON() (float64, error) {
	var t struct {
		Type      string  `json:"type"`
		Symbol    string  `json:"symbol"`
		Price     float64 `json:"price"`
		Volume    float64 `json:"volume"`
		Timestamp float64 `json:"timestamp"`
	}
	began, ticks := time.Now(), 0
	for time.Since(began) < coreTime/4 {
		for _, payload := range c.payloads {
			if err := json.Unmarshal(payload, &t); err != nil {
				return 0, fmt.Errorf("decode a tick: %w", err)
			}
		}
		ticks += len(c.payloads)
	}
	return float64(time.Since(began)) / float64(ticks), nil
}
