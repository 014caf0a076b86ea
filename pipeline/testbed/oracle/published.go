package oracle

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// Signal is the last revision of one signal: an indicator's values, or a
// pattern's confidence and score.
type Signal struct {
	Values    [3]float64
	Revision  uint32
	Withdrawn bool
}

// Published is what was published, in order: the last revision of each bar and
// signal, and what was wrong with the order.
type Published struct {
	Bars    map[Key]event.Bar
	Signals map[SignalKey]Signal
	Alerts  map[SignalKey]int
	TooLate map[uint64]bool
	Faults  []Finding
	// Refused are payloads that a bridge refused, and how often each is there.
	Refused map[string]int

	Corrected, Withdrawn int
}

// NewPublished is nothing published.
func NewPublished() *Published {
	return &Published{
		Bars: map[Key]event.Bar{}, Signals: map[SignalKey]Signal{},
		Alerts: map[SignalKey]int{}, TooLate: map[uint64]bool{}, Refused: map[string]int{},
	}
}

// Finding is one thing that is published otherwise than it must be.
type Finding struct {
	Start time.Time // of the bar; zero where it is none's
	Text  string
}

func (f Finding) String() string { return f.Text }

func (p *Published) fault(start int64, format string, args ...any) {
	p.Faults = append(p.Faults, finding(start, format, args...))
}

func finding(start int64, format string, args ...any) Finding {
	f := Finding{Text: fmt.Sprintf(format, args...)}
	if start != 0 {
		f.Start = time.Unix(start, 0)
	}
	return f
}

// Bar takes a bar: each has the revision after the one before.
func (p *Published) Bar(b event.Bar) {
	key := Key{b.Symbol, b.Timeframe, b.Start.Unix()}
	if old, ok := p.Bars[key]; ok && b.Revision != old.Revision+1 || !ok && b.Revision != 0 {
		p.fault(key.Start, "%v: revision %d after %d (%v)", key, b.Revision, old.Revision, ok)
	}
	if b.Revision > 0 {
		p.Corrected++
	}
	p.Bars[key] = b
}

// NewSignalKey names a signal on the bar of an event.
func NewSignalKey(name string, key event.BarKey) SignalKey {
	return SignalKey{Key{key.Symbol, key.Timeframe, key.Start.Unix()}, name}
}

// Signal takes a signal: each has a higher revision than the one before.
func (p *Published) Signal(key SignalKey, s Signal) {
	if old, ok := p.Signals[key]; ok && s.Revision <= old.Revision {
		p.fault(key.Start, "%v: revision %d after %d", key, s.Revision, old.Revision)
	}
	if s.Withdrawn {
		p.Withdrawn++
	}
	p.Signals[key] = s
}

// Alert takes an alert.
func (p *Published) Alert(key SignalKey) { p.Alerts[key]++ }

// SignalMessage takes a message of SIGNALS.
func (p *Published) SignalMessage(data []byte, indicators *indicator.Set) error {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return fmt.Errorf("read signal: %w", err)
	}
	switch kind.Type {
	case event.KindIndicator:
		var e event.Indicator
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("read indicator: %w", err)
		}
		s := Signal{Revision: e.Revision, Withdrawn: e.Withdrawn}
		for _, d := range indicators.Definitions() {
			if d.Name == e.Indicator {
				for i, output := range d.Outputs {
					s.Values[i] = e.Values[output]
				}
			}
		}
		p.Signal(NewSignalKey(e.Indicator, e.BarKey), s)
	case event.KindPattern:
		var e event.Pattern
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("read pattern: %w", err)
		}
		p.Signal(NewSignalKey(e.Pattern, e.BarKey), Signal{[3]float64{e.Confidence, float64(e.Score)}, e.Revision, e.Withdrawn})
	default:
		var e event.IndicatorAlert
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("read alert: %w", err)
		}
		p.Alert(NewSignalKey(e.Alert, e.BarKey))
	}
	return nil
}

// Compare says what is published otherwise than it must be, nothing where all
// is right. partitions are their messages, in order.
func (p *Published) Compare(partitions [][]Message, rules Rules, signalTimeframe string) []Finding {
	want := NewOutcome()
	for _, messages := range partitions {
		want.Add(Compute(messages, rules))
	}
	return p.CompareWith(want, rules, signalTimeframe)
}

// CompareWith is [Published.Compare] with what was computed already.
func (p *Published) CompareWith(want Outcome, rules Rules, signalTimeframe string) []Finding {
	faults := p.Faults
	fault := func(start int64, format string, args ...any) {
		faults = append(faults, finding(start, format, args...))
	}
	for key, w := range want.Bars {
		b, ok := p.Bars[key]
		switch got := textOf(b); {
		case !ok:
			fault(key.Start, "bar %v is missing", key)
		case got != w:
			fault(key.Start, "bar %v is %+v, want %+v", key, got, w)
		}
	}
	for key := range p.Bars {
		if _, ok := want.Bars[key]; !ok {
			fault(key.Start, "bar %v should not be there", key)
		}
	}
	for seq := range want.TooLate {
		if !p.TooLate[seq] {
			fault(0, "tick %d is too late and was not refused", seq)
		}
	}
	for seq := range p.TooLate {
		if !want.TooLate[seq] {
			fault(0, "tick %d was refused and is not too late", seq)
		}
	}
	indicators, _ := indicator.NewSet()
	patterns, _ := pattern.NewSet()
	signals := Signals(want.Bars, signalTimeframe, indicators, patterns, rules.Zone)
	for key, got := range p.Signals {
		w, expected := signals[key]
		if expected == got.Withdrawn || expected && got.Values != w {
			fault(key.Start, "signal %v is %+v, want %v (%v)", key, got, w, expected)
		}
	}
	for key := range signals {
		if _, ok := p.Signals[key]; !ok {
			fault(key.Start, "signal %v is missing", key)
		}
	}
	for key, n := range p.Alerts {
		if n != 1 {
			fault(key.Start, "alert %v was given %d times", key, n)
		}
	}
	return faults
}

func textOf(b event.Bar) Bar {
	t := Bar{
		Open: b.Open.String(), High: b.High.String(), Low: b.Low.String(), Close: b.Close.String(), Volume: b.Volume.String(),
		Ticks: b.TickCount, First: b.FirstSequence, Last: b.LastSequence,
	}
	if b.VWAP != nil {
		t.VWAP = b.VWAP.String()
	}
	return t
}

// DefaultRules are those of the pipeline's defaults.
func DefaultRules() (Rules, error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return Rules{}, fmt.Errorf("load the market's zone: %w", err)
	}
	return Rules{Lateness: 2 * time.Second, MaxAge: time.Hour, Timeframes: []string{"1min", "5min", "15min", "60min", "daily"}, Zone: zone}, nil
}
