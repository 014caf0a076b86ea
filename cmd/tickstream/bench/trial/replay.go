package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Replay is how fast stored ticks are handed on, against a raw consumer.
func Replay(ctx context.Context, l *Lab) (_ *figure.Part, err error) {
	part := &figure.Part{
		Name:  "replay: --speed max",
		Notes: []string{"Ceiling: one raw ordered consumer that does nothing with what it reads. Standard output is discarded. The copy into a second NATS stores every tick there and is read back."},
	}
	s, err := l.fresh(ctx, false)
	if err != nil {
		return part, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.fill(ctx, newRecording(l.cfg.Symbols, l.cfg.Ticks, time.Second)); err != nil {
		return part, err
	}
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return part, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer nowhere.Close() //nolint:errcheck // nothing was written
	var raw, output, copied figure.Series
	meters := []*figure.Meter{figure.NewMeter(), figure.NewMeter(), figure.NewMeter()}
	for range l.cfg.Rounds {
		cost, used, err := s.consume(ctx)
		if err != nil {
			return part, err
		}
		raw = append(raw, float64(cost.Messages)/cost.Seconds)
		note(meters[0], used, cost.Messages, map[string]float64{"consumer": float64(cost.Allocations)})

		rate, used, err := s.replay(ctx, nowhere)
		if err != nil {
			return part, err
		}
		output = append(output, rate)
		note(meters[1], used, l.cfg.Ticks, nil)

		if rate, used, err = s.copyTo(ctx, part); err != nil {
			return part, err
		}
		copied = append(copied, rate)
		note(meters[2], used, l.cfg.Ticks, nil)
	}
	part.Rows = []figure.Row{
		{Name: "raw ordered consumer", Unit: ticksPerSecond, Values: raw, Uses: meters[0].Uses()},
		{Name: "replay to standard output", Unit: ticksPerSecond, Values: output, Ratio: output.Over(raw), Uses: meters[1].Uses()},
		{Name: "replay into another NATS", Unit: ticksPerSecond, Values: copied, Ratio: copied.Over(raw), Uses: meters[2].Uses()},
	}
	part.Verdicts = []figure.Verdict{atLeast("replay --speed max to standard output", part.Rows[1].Ratio, 0.8, "raw ordered consumer")}
	part.Verdicts[0].Met = part.Verdicts[0].Met && len(part.Problems) == 0
	return part, nil
}

// replayed is the sentence with which a replay ends.
var replayed = regexp.MustCompile(`replayed (\d+) ticks.* \((\d+)/s\)`)

// replay runs one to its end and reads how fast it was, by its own clock:
// without the start of the process.
func (s *store) replay(ctx context.Context, output *os.File, args ...string) (float64, []spent, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the replay was not done in %v", passTimeout))
	defer cancel()
	log := filepath.Join(s.lab.cfg.Dir, "replay.log")
	_ = os.Remove(log) // of the one before
	p, err := s.lab.start("replay", s.lab.cfg.Binary, output, append([]string{"replay", "--speed", "max", "--quiet", "--nats", s.url}, args...)...)
	if err != nil {
		return 0, nil, err
	}
	watching := observe(ctx, p, s.process)
	err = errors.Join(p.Wait(ctx), p.Kill())
	used := watching.end()
	text, readErr := os.ReadFile(log)
	if err = errors.Join(err, readErr); err != nil {
		return 0, nil, fmt.Errorf("replay: %w: see %s", err, log)
	}
	said := replayed.FindSubmatch(text)
	if said == nil || string(said[1]) != strconv.FormatInt(s.lab.cfg.Ticks, 10) {
		return 0, nil, fmt.Errorf("replay: it does not say that it replayed %d ticks: see %s", s.lab.cfg.Ticks, log)
	}
	rate, err := strconv.ParseFloat(string(said[2]), 64)
	s.lab.log.Info("measured", "replay", args, "ticks/s", rate)
	return rate, used, err //nolint:wrapcheck // digits
}

// copyTo replays into an empty NATS and reads it back.
func (s *store) copyTo(ctx context.Context, part *figure.Part) (_ float64, _ []spent, err error) {
	s.lab.stores++
	target := &store{lab: s.lab}
	defer func() { err = errors.Join(err, target.close()) }()
	if err := target.open(ctx, false); err != nil {
		return 0, nil, err
	}
	rate, used, err := s.replay(ctx, nil, "--to-nats", target.url)
	if err != nil {
		return 0, nil, err
	}
	got, err := target.read(ctx, stream.Ticks, stream.AllTicks, s.lab.cfg.Ticks, s.lab.cfg.Symbols)
	if err != nil {
		return 0, nil, err
	}
	if text := got.problem("replay into another NATS"); text != "" {
		part.Problems = append(part.Problems, text)
	}
	return rate, used, nil
}
