package aggregate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// recorder keeps the results in order, and the last revision of each.
type recorder struct {
	*oracle.Published
	all []string
	seq uint64
}

func newRecorder() *recorder { return &recorder{Published: oracle.NewPublished()} }

func (r *recorder) Bar(b *event.Bar) {
	r.all = append(r.all, string(b.AppendJSON(nil)))
	r.Published.Bar(*b)
}

func (r *recorder) BarsDone() {}

func (r *recorder) Indicator(t *event.IndicatorTemplate, key event.BarKey, values []float64, revision uint32, withdrawn bool) {
	s := oracle.Signal{Revision: revision, Withdrawn: withdrawn}
	copy(s.Values[:], values)
	r.signal(t.Name, key, s)
}

func (r *recorder) Pattern(p *event.Pattern) {
	r.signal(p.Pattern, p.BarKey, oracle.Signal{Values: [3]float64{p.Confidence, float64(p.Score)}, Revision: p.Revision, Withdrawn: p.Withdrawn})
}

func (r *recorder) signal(name string, key event.BarKey, s oracle.Signal) {
	k := oracle.NewSignalKey(name, key)
	r.all = append(r.all, fmt.Sprint(k, s))
	if _, ok := r.Bars[k.Key]; !ok {
		r.Faults = append(r.Faults, oracle.Finding{Text: fmt.Sprintf("%v: before its bar", k)})
	}
	r.Published.Signal(k, s)
}

func (r *recorder) Alert(a *event.IndicatorAlert) {
	k := oracle.NewSignalKey(a.Alert, a.BarKey)
	r.all = append(r.all, fmt.Sprint(k, a.Value))
	r.Published.Alert(k)
}

func (r *recorder) TooLate(*tick.Tick) { r.Published.TooLate[r.seq] = true }

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
		messages := oracle.Traffic(rand.New(rand.NewPCG(seed, 5)), 12000)
		r := newRecorder()
		p := partition(t, r)
		for _, m := range messages {
			give(p, r, m)
		}
		rules, err := oracle.DefaultRules()
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range r.Compare([][]oracle.Message{messages}, rules, "1min") {
			t.Errorf("seed %d: %s", seed, fault)
		}
		if r.Corrected < 20 || len(r.Published.TooLate) < 20 || r.Withdrawn < 5 || len(r.Alerts) < 20 {
			t.Errorf("seed %d: the traffic tests too little: %d corrections, %d too late, %d withdrawn, %d alerts",
				seed, r.Corrected, len(r.Published.TooLate), r.Withdrawn, len(r.Alerts))
		}
	}
}

// A state that was stored and read back at any point goes on with the same
// results in the same order.
func TestStoredStateGoesOnWithTheSameResults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 6))
		messages := oracle.Traffic(random, 6000)
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
	messages := oracle.Traffic(rand.New(rand.NewPCG(1, 1)), 400)
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
