package feed_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/feed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// noon is a trading day's noon in New York.
var noon = time.Date(2025, 10, 7, 16, 0, 0, 0, time.UTC)

func symbols(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("SYM%02d", i)
	}
	return names
}

func generate(t *testing.T, cfg feed.Config, n int) []feed.Tick {
	t.Helper()
	g, err := feed.NewGenerator(cfg)
	if err != nil {
		t.Fatalf("new generator: %v", err)
	}
	ticks := make([]feed.Tick, n)
	for i := range ticks {
		ticks[i] = g.Next(noon.Add(time.Duration(i) * time.Second / 60))
	}
	return ticks
}

func TestGeneratorIsDeterministicBySeed(t *testing.T) {
	cfg := feed.Config{Symbols: symbols(7), Seed: 42, Malformed: 0.1, Late: 0.1, Duplicate: 0.1, OutOfOrder: 0.1}
	payloads := func(cfg feed.Config) []string {
		var all []string
		for _, tick := range generate(t, cfg, 2000) {
			all = append(all, string(tick.Payload))
		}
		return all
	}
	first, second := payloads(cfg), payloads(cfg)
	if !slices.Equal(first, second) {
		t.Error("the same seed gave other ticks")
	}
	cfg.Seed = 43
	if slices.Equal(first, payloads(cfg)) {
		t.Error("another seed gave the same ticks")
	}
}

func TestEverySymbolTicksInEachRound(t *testing.T) {
	ticks := generate(t, feed.Config{Symbols: symbols(60)}, 240)
	for round := range 4 {
		seen := map[string]bool{}
		for _, tick := range ticks[round*60 : (round+1)*60] {
			seen[tick.Symbol] = true
		}
		if len(seen) != 60 {
			t.Errorf("round %d: %d of 60 symbols ticked", round, len(seen))
		}
	}
	first, second := ticks[:60], ticks[60:120]
	if slices.EqualFunc(first, second, func(a, b feed.Tick) bool { return a.Symbol == b.Symbol }) {
		t.Error("two rounds have the same order")
	}
}

func TestGeneratorHoldsTheShares(t *testing.T) {
	const n = 40_000
	cfg := feed.Config{Symbols: symbols(20), Malformed: 0.05, Late: 0.1, Duplicate: 0.08, OutOfOrder: 0.12}
	counts := map[feed.Kind]int{}
	for _, tick := range generate(t, cfg, n) {
		counts[tick.Kind]++
	}
	for kind, want := range map[feed.Kind]float64{
		feed.Malformed: 0.05, feed.Late: 0.1, feed.Duplicate: 0.08, feed.OutOfOrder: 0.12, feed.Regular: 0.65,
	} {
		if got := float64(counts[kind]) / n; math.Abs(got-want) > 0.01 {
			t.Errorf("kind %d: share is %.3f, want %.3f", kind, got, want)
		}
	}
}

func TestDuplicateRepeatsTheBytes(t *testing.T) {
	seen := map[string]bool{}
	duplicates := 0
	for _, tick := range generate(t, feed.Config{Symbols: symbols(5), Duplicate: 0.2}, 2000) {
		if known := seen[string(tick.Payload)]; known != (tick.Kind == feed.Duplicate) {
			t.Fatalf("%s: seen before is %v, kind is %d", tick.Payload, known, tick.Kind)
		} else if known {
			duplicates++
		}
		seen[string(tick.Payload)] = true
	}
	if duplicates == 0 {
		t.Error("no duplicate was made")
	}
}

func TestShapesAreThoseOfPython(t *testing.T) {
	for _, c := range []struct {
		shape feed.Shape
		want  string
	}{
		{feed.Market, `{"type": "market_tick", "symbol": "BRK.B", "price": 334.97, "volume": 85, "timestamp": 1759852800.0, "source": "simulated"}`},
		{feed.Raw, `{"ticker": "BRK.B", "price": 334.97, "volume": 85, "timestamp": 1759852800.0, "event_type": "A", "source": "simulated", "tick_open": 334.97, "tick_high": 334.98, "tick_low": 334.96, "tick_close": 334.97, "tick_volume": 85, "tick_vwap": 334.97, "bid": null, "ask": null}`},
	} {
		tick := generate(t, feed.Config{Symbols: []string{"BRK.B"}, Shape: c.shape}, 1)[0]
		if got := string(tick.Payload); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.shape, got, c.want)
		}
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	valid := feed.Config{Symbols: symbols(1)}
	if err := valid.Validate(); err != nil {
		t.Fatalf("valid settings: %v", err)
	}
	for name, spoil := range map[string]func(*feed.Config){
		"symbols is empty":     func(c *feed.Config) { c.Symbols = nil },
		"rate is -1":           func(c *feed.Config) { c.Rate = -1 },
		"rate is NaN":          func(c *feed.Config) { c.Rate = math.NaN() },
		"shape is \"x\"":       func(c *feed.Config) { c.Shape = "x" },
		"late is 1.5":          func(c *feed.Config) { c.Late = 1.5 },
		"malformed is NaN":     func(c *feed.Config) { c.Malformed = math.NaN() },
		"are 1.2 together":     func(c *feed.Config) { c.Duplicate = 0.6 },
		"nothing negative":     func(c *feed.Config) { c.Count = -1 },
		"at least two symbols": func(c *feed.Config) { c.OutOfOrder = 0.1 },
		"speed is -2":          func(c *feed.Config) { c.Speed = -2 },
	} {
		cfg := valid
		spoil(&cfg)
		if err := cfg.Validate(); err == nil || !contains(err.Error(), name) {
			t.Errorf("error is %v, want one with %q", err, name)
		}
	}
}

// What the generator calls malformed the decoder refuses, everything else it
// takes, with the time and symbol that were meant.
func TestTicksDecode(t *testing.T) {
	decoder, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range []feed.Shape{feed.Market, feed.Raw} {
		cfg := feed.Config{
			Symbols: []string{"AAPL", "BRK.B", "EUR/USD", "^SPX"}, Shape: shape,
			Malformed: 0.2, Late: 0.1, Duplicate: 0.1, OutOfOrder: 0.1, LateBy: time.Minute,
		}
		last := map[string]int64{}
		reasons := map[tick.Reason]int{}
		for i, made := range generate(t, cfg, 5000) {
			at := noon.Add(time.Duration(i) * time.Second / 60)
			var got tick.Tick
			err := decoder.Decode(made.Payload, at, &got)
			if made.Kind == feed.Malformed {
				refusal, refused := errors.AsType[*tick.Refusal](err)
				if !refused {
					t.Fatalf("%s: %s: a malformed tick was accepted", shape, made.Payload)
				}
				reasons[refusal.Reason]++
				continue
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", shape, made.Payload, err)
			}
			if string(got.Symbol) != made.Symbol || string(got.Source) != "simulated" || got.Volume < tick.One {
				t.Fatalf("%s: decoded to %s %s %s", made.Payload, got.Symbol, got.Source, got.Volume)
			}
			if shape == feed.Raw && (got.Kind != tick.Aggregate || got.Present&tick.FieldsOHLC != tick.FieldsOHLC) {
				t.Fatalf("%s: no aggregate with four prices", made.Payload)
			}
			behind := at.UnixNano() - got.UnixNanos
			switch made.Kind {
			case feed.Late:
				if behind < int64(time.Minute/5) || behind > int64(time.Minute+time.Second) {
					t.Errorf("late by %v, want 12s to 60s", time.Duration(behind))
				}
				continue
			case feed.OutOfOrder:
				if got.UnixNanos >= last[made.Symbol] {
					t.Errorf("%s: out of order, but not behind a younger one", made.Payload)
				}
			case feed.Regular:
				if got.UnixNanos <= last[made.Symbol] {
					t.Errorf("%s: regular, but not younger than the last", made.Payload)
				}
			}
			last[made.Symbol] = max(last[made.Symbol], got.UnixNanos)
		}
		if len(reasons) < 8 {
			t.Errorf("%s: malformed ticks were refused for %d reasons only: %v", shape, len(reasons), reasons)
		}
	}
}

func TestVolumeFollowsTheDay(t *testing.T) {
	decoder, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	mean := func(hour, minute int) float64 {
		g, err := feed.NewGenerator(feed.Config{Symbols: symbols(10)})
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for range 4000 {
			at := time.Date(2025, 10, 7, hour+4, minute, 0, 0, time.UTC) // New York is at UTC-4
			var got tick.Tick
			if err := decoder.Decode(g.Next(at).Payload, at, &got); err != nil {
				t.Fatal(err)
			}
			sum += got.Volume.Float64()
		}
		return sum / 4000
	}
	open, noon, closing, night := mean(9, 31), mean(12, 45), mean(15, 59), mean(20, 0)
	if open < 2*noon || closing < 2*noon || night > noon/2 {
		t.Errorf("mean volumes: open %.0f, noon %.0f, close %.0f, night %.0f", open, noon, closing, night)
	}
}
