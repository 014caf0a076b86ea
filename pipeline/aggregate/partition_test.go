package aggregate_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// recorder keeps the results in order, and the last revision of each.
type recorder struct {
	all     []string
	bars    map[oracle.Key]event.Bar
	signals map[oracle.SignalKey]signal
	alerts  map[oracle.SignalKey]int
	tooLate map[uint64]bool
	seq     uint64
	faults  []string
}

type signal struct {
	values    [3]float64
	revision  uint32
	withdrawn bool
}

func newRecorder() *recorder {
	return &recorder{
		bars: map[oracle.Key]event.Bar{}, signals: map[oracle.SignalKey]signal{},
		alerts: map[oracle.SignalKey]int{}, tooLate: map[uint64]bool{},
	}
}

func (r *recorder) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func (r *recorder) Bar(b *event.Bar) {
	r.all = append(r.all, string(b.AppendJSON(nil)))
	key := oracle.Key{Symbol: b.Symbol, Timeframe: b.Timeframe, Start: b.Start.Unix()}
	if old, ok := r.bars[key]; ok && b.Revision != old.Revision+1 || !ok && b.Revision != 0 {
		r.fault("%v: revision %d after %d (%v)", key, b.Revision, old.Revision, ok)
	}
	r.bars[key] = *b
}

func (r *recorder) BarsDone() {}

func (r *recorder) Indicator(t *event.IndicatorTemplate, key event.BarKey, values []float64, revision uint32, withdrawn bool) {
	s := signal{revision: revision, withdrawn: withdrawn}
	copy(s.values[:], values)
	r.signal(t.Name, key, s)
}

func (r *recorder) Pattern(p *event.Pattern) {
	r.signal(p.Pattern, p.BarKey, signal{[3]float64{p.Confidence, float64(p.Score)}, p.Revision, p.Withdrawn})
}

func keyOf(name string, key event.BarKey) oracle.SignalKey {
	return oracle.SignalKey{Key: oracle.Key{Symbol: key.Symbol, Timeframe: key.Timeframe, Start: key.Start.Unix()}, Name: name}
}

func (r *recorder) signal(name string, key event.BarKey, s signal) {
	k := keyOf(name, key)
	r.all = append(r.all, fmt.Sprint(k, s))
	if old, ok := r.signals[k]; ok && s.revision <= old.revision {
		r.fault("%v: revision %d after %d", k, s.revision, old.revision)
	}
	if _, ok := r.bars[k.Key]; !ok {
		r.fault("%v: before its bar", k)
	}
	r.signals[k] = s
}

func (r *recorder) Alert(a *event.IndicatorAlert) {
	k := keyOf(a.Alert, a.BarKey)
	r.all = append(r.all, fmt.Sprint(k, a.Value))
	r.alerts[k]++
}

func (r *recorder) TooLate(*tick.Tick) { r.tooLate[r.seq] = true }

// traffic is a partition's messages: several symbols, seconds with their own
// prices among trades, quotes, ticks out of order, late, much too late and
// twice, marks, and silence.
func traffic(random *rand.Rand, n int) []oracle.Message {
	symbols := []string{"AAPL", "BRK.B", "^SPX", "idle"}
	prices := []float64{150, 400, 5000, 10}
	clock := time.Date(2026, 3, 6, 20, 0, 0, 0, time.UTC) // a Friday; the market's midnight is ahead
	var messages []oracle.Message
	for seq := uint64(1); len(messages) < n; seq += 1 + uint64(random.IntN(3)) {
		clock = clock.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		if random.IntN(500) == 0 {
			clock = clock.Add(time.Duration(random.IntN(90)) * time.Minute)
		}
		if random.IntN(20) == 0 {
			messages = append(messages, oracle.Message{Sequence: seq, Mark: clock.Add(-2 * time.Second).Truncate(time.Millisecond)})
			continue
		}
		i := random.IntN(len(symbols))
		if symbols[i] == "idle" && random.IntN(30) > 0 {
			i = 0
		}
		at := clock
		switch random.IntN(40) {
		case 0:
			at = at.Add(-time.Duration(random.IntN(180)) * time.Second)
		case 1:
			at = at.Add(-time.Duration(random.IntN(90)) * time.Minute)
		case 2:
			at = at.Truncate(time.Minute)
		}
		prices[i] = max(5, prices[i]+random.NormFloat64())
		price, _ := tick.DecimalFromFloat(math.Round(prices[i]*100) / 100)
		volume, _ := tick.DecimalFromFloat(math.Round(random.ExpFloat64()*1000) / 8)
		t := &tick.Tick{Symbol: []byte(symbols[i]), Price: price, Volume: volume, UnixNanos: at.UnixNano()}
		switch random.IntN(12) {
		case 0:
			t.Kind = tick.Quote
		case 1, 2, 3:
			t.Kind, t.Present = tick.Aggregate, tick.FieldsOHLC|tick.FieldVWAP
			t.Open, t.Close, t.VWAP = price-tick.One/7, price, price-tick.One/13
			t.High, t.Low = price+tick.One/3, price-tick.One/2
		}
		messages = append(messages, oracle.Message{Sequence: seq, Tick: t})
		if random.IntN(100) == 0 {
			seq++
			messages = append(messages, oracle.Message{Sequence: seq, Tick: t})
		}
	}
	last := messages[len(messages)-1].Sequence
	return append(messages, oracle.Message{Sequence: last + 1, Mark: clock.Add(time.Minute)}, oracle.Message{Sequence: last + 2, Mark: clock.Add(2 * time.Minute)})
}

func give(p *aggregate.Partition, r *recorder, m oracle.Message) {
	r.seq = m.Sequence
	if m.Tick == nil {
		p.Mark(m.Mark, m.Sequence)
		return
	}
	p.Tick(m.Tick, m.Sequence)
}

func partition(t testing.TB, r aggregate.Results) *aggregate.Partition {
	t.Helper()
	p, err := aggregate.New(aggregate.Config{}, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLastRevisionsAreThoseOfAPlainRecomputation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		messages := traffic(rand.New(rand.NewPCG(seed, 5)), 12000)
		r := newRecorder()
		p := partition(t, r)
		for _, m := range messages {
			give(p, r, m)
		}
		compare(t, seed, r, messages)
	}
}

func compare(t *testing.T, seed uint64, r *recorder, messages []oracle.Message) {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range r.faults {
		t.Errorf("seed %d: %s", seed, fault)
	}
	want := oracle.Compute(messages, oracle.Rules{
		Lateness: 2 * time.Second, MaxAge: time.Hour, Timeframes: []string{"1min", "5min", "15min", "60min", "daily"}, Zone: zone,
	})
	corrected, late := 0, 0
	for key, w := range want.Bars {
		b, ok := r.bars[key]
		if !ok {
			t.Errorf("seed %d: %v is missing", seed, key)
			continue
		}
		got := oracle.Bar{
			Open: b.Open.String(), High: b.High.String(), Low: b.Low.String(), Close: b.Close.String(), Volume: b.Volume.String(),
			Ticks: b.TickCount, First: b.FirstSequence, Last: b.LastSequence,
		}
		if b.VWAP != nil {
			got.VWAP = b.VWAP.String()
		}
		if got != w {
			t.Errorf("seed %d: %v is %+v, want %+v", seed, key, got, w)
		}
		if b.Revision > 0 {
			corrected++
		}
	}
	if len(r.bars) != len(want.Bars) {
		t.Errorf("seed %d: %d bars, want %d", seed, len(r.bars), len(want.Bars))
	}
	late = len(want.TooLate)
	if !reflect.DeepEqual(r.tooLate, want.TooLate) {
		t.Errorf("seed %d: %d ticks too late, want %d", seed, len(r.tooLate), late)
	}
	indicators, _ := indicator.NewSet()
	patterns, _ := pattern.NewSet()
	signals := oracle.Signals(want.Bars, "1min", indicators, patterns, zone)
	withdrawn := 0
	for key, got := range r.signals {
		w, expected := signals[key]
		if got.withdrawn {
			withdrawn++
		}
		if expected == got.withdrawn || expected && got.values != w {
			t.Errorf("seed %d: %v is %+v, want %v (%v)", seed, key, got, w, expected)
		}
		delete(signals, key)
	}
	for key := range signals {
		t.Errorf("seed %d: %v is missing", seed, key)
	}
	for key, n := range r.alerts {
		if n != 1 {
			t.Errorf("seed %d: %v was given %d times", seed, key, n)
		}
	}
	if corrected < 20 || late < 20 || withdrawn < 5 || len(r.alerts) < 20 {
		t.Errorf("seed %d: the traffic tests too little: %d corrected bars, %d too late, %d withdrawn, %d alerts", seed, corrected, late, withdrawn, len(r.alerts))
	}
}

// A state that was stored and read back at any point goes on with the same
// results in the same order.
func TestStoredStateGoesOnWithTheSameResults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 6))
		messages := traffic(random, 6000)
		want, got := newRecorder(), newRecorder()
		whole, cut := partition(t, want), partition(t, got)
		for i, m := range messages {
			give(whole, want, m)
			if random.IntN(40) == 0 {
				encoded, err := cut.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				if cut, err = aggregate.Decode(aggregate.Config{}, encoded, got); err != nil {
					t.Fatalf("seed %d message %d: %v", seed, i, err)
				}
				again, err := cut.AppendBinary(nil)
				if err != nil || !bytes.Equal(again, encoded) {
					t.Fatalf("seed %d message %d: encoded again it differs, %v", seed, i, err)
				}
			}
			give(cut, got, m)
		}
		if !reflect.DeepEqual(got.all, want.all) {
			t.Errorf("seed %d: %d results, want the same %d", seed, len(got.all), len(want.all))
		}
	}
}

func TestOtherSettingsDoNotReadTheState(t *testing.T) {
	t.Parallel()
	encoded, err := partition(t, newRecorder()).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []aggregate.Config{{Lateness: time.Second}, {Timeframes: []string{"5min"}}, {Indicators: []string{"RSI"}}} {
		if _, err := aggregate.Decode(cfg, encoded, newRecorder()); err == nil {
			t.Errorf("%+v reads the state of the defaults", cfg)
		}
	}
}

func FuzzDecode(f *testing.F) {
	messages := traffic(rand.New(rand.NewPCG(1, 1)), 400)
	r := newRecorder()
	p, err := aggregate.New(aggregate.Config{}, r)
	if err != nil {
		f.Fatal(err)
	}
	for i, m := range messages {
		give(p, r, m)
		if i%100 == 0 {
			encoded, err := p.AppendBinary(nil)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(encoded)
		}
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		p, err := aggregate.Decode(aggregate.Config{}, data, r)
		if err != nil {
			return
		}
		_, _ = p.AppendBinary(nil)
	})
}
