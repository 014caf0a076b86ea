package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// The hops that a tick takes, in its order, and health, which watches them.
const (
	hopRedis    = "redis"
	hopBridge   = "bridge"
	hopTicks    = "ticks"
	hopPipeline = "pipeline"
	hopResults  = "results"
	hopStore    = "store"
	hopEgress   = "egress"
	hopHealth   = "health"
)

// hop is one station of the picture: what passes it, how late, and how it is.
type hop struct {
	ID      string   `json:"id"`
	Tone    string   `json:"tone"`
	Rate    *float64 `json:"rate"` // null where it is not known
	Unit    string   `json:"unit"`
	Lag     *float64 `json:"lag"`     // milliseconds; null where it has none
	Waiting *uint64  `json:"waiting"` // messages that wait here; null where nothing can
	Note    string   `json:"note"`
}

// hopsOf draws the picture. A hop takes the tone of the gravest issue there;
// what lies on a JetStream that does not answer is not known.
func hopsOf(s health.Snapshot, f *flow) []hop {
	hops := []hop{redisHop(s, f), bridgeHop(s, f), ticksHop(s), pipelineHop(s, f), resultsHop(s, f), storeHop(s, f), egressHop(s, f), healthHop(s)}
	if s.Facts.At.IsZero() {
		for i := range hops {
			hops[i].Tone, hops[i].Rate = toneWaiting, nil
		}
	}
	unreachable := false
	for _, i := range s.Issues {
		unreachable = unreachable || i.Code == observe.CodeJetStreamUnreachable
		tone := toneWarning
		switch {
		case i.Severity == observe.SeverityInfo:
			continue
		case breaks(i):
			tone = toneBad
		}
		for k := range hops {
			if hops[k].ID == hopOf(i, s) && hops[k].Tone != toneBad {
				hops[k].Tone = tone
			}
		}
	}
	if unreachable {
		forget(hops)
	}
	return hops
}

// forget takes back what was measured before JetStream went away.
func forget(hops []hop) {
	for k := range hops {
		h := &hops[k]
		if h.ID == hopHealth || h.Tone == toneOff {
			continue
		}
		h.Rate, h.Lag, h.Waiting = nil, nil, nil
		if h.ID == hopResults {
			h.Note = ""
		}
		if h.Tone != toneBad {
			h.Tone = toneUnknown
		}
	}
}

func redisHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopRedis, Tone: toneGood, Rate: f.rate(countReceived, steadyWindow), Unit: perSecond, Note: "no bridge reads it"}
	for _, r := range s.Facts.Components {
		if r.Bridge != nil {
			h.Note = r.Bridge.Source
		}
	}
	return h
}

func bridgeHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopBridge, Tone: toneGood, Rate: f.rate(countStored, steadyWindow), Unit: perSecond, Waiting: new(uint64)}
	bridges, standby := 0, 0
	for _, r := range s.Facts.Components {
		if r.Bridge == nil {
			continue
		}
		bridges++
		*h.Waiting += uint64(max(0, r.Bridge.QueuedTicks)) //nolint:gosec // not below zero
		if r.Bridge.State == presence.StateStandby {
			standby++
		}
	}
	h.Note = "not running"
	if bridges > 0 {
		h.Note = fmt.Sprintf("%d active, %d on standby", bridges-standby, standby)
	}
	return h
}

func ticksHop(s health.Snapshot) hop {
	h := hop{ID: hopTicks, Tone: toneGood, Rate: &s.Facts.TicksPerSecond, Unit: perSecond, Note: many(int64(s.Facts.Partitions), "partition")}
	if !s.Facts.LastTickAt.IsZero() {
		h.Lag = milliseconds(max(0, s.Facts.IngestLag))
	}
	return h
}

func pipelineHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopPipeline, Tone: toneGood, Rate: f.rate(countConsumed, steadyWindow), Unit: perSecond, Waiting: new(uint64)}
	var lag time.Duration
	for _, c := range s.Facts.Consumers {
		*h.Waiting += c.Pending
		lag = max(lag, c.Lag)
	}
	h.Lag = milliseconds(lag)
	workers, owned := 0, 0
	for _, r := range s.Facts.Components {
		if r.Pipeline != nil {
			workers++
			owned += len(r.Pipeline.Partitions)
		}
	}
	h.Note = "not running"
	if workers > 0 {
		h.Note = fmt.Sprintf("%s, %d/%d partitions", many(int64(workers), "worker"), owned, s.Facts.Partitions)
	}
	return h
}

func resultsHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopResults, Tone: toneGood, Rate: &s.Facts.BarsPerMinute, Unit: "bars/min"}
	if signals := f.rate(countSignals, minuteWindow); signals != nil {
		h.Note = humanize.Comma(int64(math.Round(*signals*60))) + " signals/min"
	}
	return h
}

func storeHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopStore, Tone: toneOff, Unit: "rows/min", Note: "no database is set"}
	for _, r := range s.Facts.Components {
		if r.Store == nil {
			continue
		}
		h.Tone, h.Rate, h.Note = toneGood, perMinute(f.rate(countRows, minuteWindow)), "PostgreSQL"
		h.Waiting, h.Lag = &s.Facts.Rows.Pending, milliseconds(s.Facts.Rows.Lag)
	}
	return h
}

func egressHop(s health.Snapshot, f *flow) hop {
	h := hop{ID: hopEgress, Tone: toneUnknown, Unit: "events/min", Note: "not running"}
	for _, r := range s.Facts.Components {
		if r.Egress == nil || h.Waiting != nil && !r.Egress.Active {
			continue
		}
		h.Tone, h.Rate, h.Waiting = toneGood, perMinute(f.rate(countSent, minuteWindow)), new(uint64)
		for _, waiting := range r.Egress.Pending {
			*h.Waiting += waiting
		}
		heard := listening(s.Buses)
		for _, c := range r.Egress.Channels {
			heard = max(heard, c.Receivers)
		}
		h.Note = "AppV2: nobody listens"
		if heard > 0 {
			h.Note = fmt.Sprintf("AppV2: %d subscribed", heard)
		}
	}
	return h
}

// listening is how many heard the last health event on Redis.
func listening(buses []health.BusState) (heard int64) {
	for _, b := range buses {
		heard = max(heard, b.Receivers)
	}
	return heard
}

// healthHop is what watches the others, and tells.
func healthHop(s health.Snapshot) hop {
	h := hop{ID: hopHealth, Tone: toneGood, Unit: "events/min"}
	if s.Interval > 0 {
		rate := time.Minute.Seconds() / s.Interval.Seconds()
		h.Rate = &rate
	}
	var notes []string
	for _, b := range s.Buses {
		switch {
		case !b.Reach.OK:
			h.Tone = toneWarning
			notes = append(notes, b.Name+" is away")
		case b.Leading && b.Receivers >= 0:
			notes = append(notes, fmt.Sprintf("tells %s, %d subscribed", b.Name, b.Receivers))
		case b.Leading:
			notes = append(notes, "tells "+b.Name)
		case !b.Leading:
			notes = append(notes, "on standby on "+b.Name)
		}
	}
	h.Note = strings.Join(notes, ", ")
	return h
}

const perSecond = "ticks/s"

func perMinute(perSecond *float64) *float64 {
	if perSecond == nil {
		return nil
	}
	rate := *perSecond * 60
	return &rate
}

func milliseconds(d time.Duration) *float64 {
	ms := float64(d) / float64(time.Millisecond)
	return &ms
}
