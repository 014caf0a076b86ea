package observe

import (
	"math"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// seconds makes a meter with a sample each second, of which counts are the ticks.
func seconds(counts ...uint64) *tickMeter {
	t := &tickMeter{rateWindow: 10 * time.Second}
	at := time.Date(2025, time.October, 7, 16, 0, 0, 0, time.UTC)
	t.samples = []sample{{at, 100}}
	for _, n := range counts {
		last := t.samples[len(t.samples)-1]
		t.samples = append(t.samples, sample{last.at.Add(time.Second), last.seq + n})
	}
	return t
}

// at is the time of a sample, counted from the last.
func (t *tickMeter) at(back int) time.Time { return t.samples[len(t.samples)-1-back].at }

func TestRateIsOfNow(t *testing.T) {
	for name, c := range map[string]struct {
		counts  []uint64
		began   int // seconds ago; 0 is not known
		backlog func(t *tickMeter) *backlog
		want    float64
	}{
		"steady":                      {[]uint64{60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60}, 0, nil, 60},
		"a pause counts":              {[]uint64{60, 60, 60, 60, 60, 60, 0, 0, 0, 60, 60, 60}, 0, nil, 42},
		"no pause before a start":     {[]uint64{60, 60, 60, 60, 60, 60, 0, 0, 0, 60, 60, 60}, 3, nil, 60},
		"a start just now":            {[]uint64{60, 60, 60, 60, 60, 60, 60, 60, 60, 0, 0, 60}, 1, nil, 48},
		"a start in the future":       {[]uint64{60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60}, -100, nil, 60},
		"a backlog over its time":     {[]uint64{60, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 660}, 0, func(t *tickMeter) *backlog { return &backlog{t.samples[2].seq, t.at(11), time.Time{}} }, 60},
		"a backlog that is just over": {[]uint64{60, 60, 0, 0, 0, 0, 0, 0, 0, 0, 600, 60}, 0, func(t *tickMeter) *backlog { return &backlog{t.samples[2].seq, t.at(11), t.at(1)} }, 60},
		"a backlog that is over":      {[]uint64{0, 0, 0, 0, 0, 0, 0, 0, 600, 80, 80, 80}, 0, func(t *tickMeter) *backlog { return &backlog{t.samples[0].seq, t.at(12), t.at(3)} }, 80},
		"a backlog long over":         {[]uint64{600, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80}, 0, func(t *tickMeter) *backlog { return &backlog{t.samples[0].seq, t.at(12), t.at(11)} }, 80},
		"no sample":                   {nil, 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			meter := seconds(c.counts...)
			if c.counts == nil {
				meter.samples = nil
			}
			var began time.Time
			if c.began != 0 {
				began = meter.samples[len(meter.samples)-1].at.Add(-time.Duration(c.began) * time.Second)
			}
			if c.backlog != nil {
				meter.backlog = c.backlog(meter)
			}
			if got := meter.rate(began); math.Abs(got-c.want) > 0.01 {
				t.Errorf("rate = %v, want %v", got, c.want)
			}
		})
	}
}

func TestRateBeginsWithTheActiveBridge(t *testing.T) {
	at := time.Date(2025, time.October, 7, 16, 0, 0, 0, time.UTC)
	bridge := func(state string, started time.Duration) presence.Report {
		return presence.Report{Role: presence.RoleBridge, StartedAt: at.Add(started), Bridge: &presence.Bridge{State: state}}
	}
	f := Facts{Components: []presence.Report{
		bridge(presence.StateActive, 0), bridge(presence.StateStandby, time.Hour), {Role: presence.RolePipeline, StartedAt: at.Add(time.Hour)},
	}}
	if got := beganAt(f); !got.Equal(at) {
		t.Errorf("began at %v, want %v", got, at)
	}
	f.GapEndedAt = at.Add(time.Minute)
	if got := beganAt(f); !got.Equal(f.GapEndedAt) {
		t.Errorf("began at %v, want %v, when the gap ended", got, f.GapEndedAt)
	}
}

func TestBusierOfTwoSpans(t *testing.T) {
	for _, c := range []struct{ both, second, want uint64 }{
		{60, 0, 60}, {60, 60, 60}, {90, 30, 60}, {90, 60, 60}, {0, 0, 0},
		{0, 60, 60}, {30, 60, 60}, // bars came, or went, between the two counts
	} {
		if got := busier(c.both, c.second); got != c.want {
			t.Errorf("%d in both, %d in the second: %d, want %d", c.both, c.second, got, c.want)
		}
	}
}
