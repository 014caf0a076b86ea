package replays

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// The phases of a replay.
const (
	phaseIdle      = "idle"
	phaseRunning   = "running"
	phaseDone      = "done"
	phaseCancelled = "cancelled"
	phaseFailed    = "failed"
)

// State is how far the replay is that runs, or how the last one ended.
type State struct {
	Allowed bool     `json:"allowed"`
	Channel string   `json:"channel"` // proposed, or where it goes
	ID      string   `json:"id"`
	Phase   string   `json:"phase"` // idle, running, done, cancelled or failed
	From    int64    `json:"from"`  // Unix milliseconds
	To      int64    `json:"to"`    // the same; 0 for all that is there
	Speed   float64  `json:"speed"` // 0 for as fast as possible
	Symbols []string `json:"symbols"`
	Ticks   int64    `json:"ticks"`
	Share   float64  `json:"share"` // of the range, 0 to 1
	Took    int64    `json:"took"`  // milliseconds
	Error   string   `json:"error"`
}

// Idle is the state before the first replay, or where none may run.
func Idle(allowed bool, channel string) State {
	return State{Allowed: allowed, Channel: channel, Phase: phaseIdle, Symbols: []string{}}
}

func (j *job) state(phase string, err error) State {
	p := j.replay.Progress()
	s := State{
		Allowed: true, Channel: j.order.channel, ID: j.id, Phase: phase, From: j.order.from.UnixMilli(),
		Speed: j.order.speed, Symbols: append([]string{}, j.order.symbols...), Ticks: p.Ticks, Took: time.Since(j.began).Milliseconds(),
	}
	if !j.order.to.IsZero() {
		s.To = j.order.to.UnixMilli()
	}
	if p.Last >= p.First && p.First > 0 {
		s.Share = float64(p.Position+1-p.First) / float64(p.Last+1-p.First)
	}
	if p.Done {
		s.Share = 1
	}
	if err != nil {
		s.Error = err.Error()
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s.Error = fmt.Sprintf("stream %s is not there: no tick was ever stored", stream.Ticks)
		}
	}
	return s
}
