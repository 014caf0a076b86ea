package feed

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/tickstock/tickstream/pipeline/replay"
)

const longestLine = 1 << 20

// recording gives the lines of a file, due as their event times are spaced.
type recording struct {
	lines *bufio.Scanner
	pacer *replay.Pacer
	clock *replay.Clock
	speed float64
}

var _ source = (*recording)(nil)

func newRecording(r io.Reader, speed float64) (*recording, error) {
	clock, err := replay.NewClock()
	if err != nil {
		return nil, fmt.Errorf("prepare recorded ticks: %w", err)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	return &recording{lines: lines, pacer: replay.NewPacer(speed), clock: clock, speed: speed}, nil
}

// next skips empty lines. A line that is no tick, or an old one, goes out with
// the one before.
func (r *recording) next() (Tick, time.Time, error) {
	for r.lines.Scan() {
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		tick := Tick{Payload: bytes.Clone(line)}
		if r.speed == 0 {
			return tick, time.Time{}, nil
		}
		at, ok := r.clock.EventTime(line, time.Now())
		if !ok {
			return tick, time.Time{}, nil
		}
		return tick, time.Now().Add(max(0, r.pacer.Delay(at))), nil
	}
	if err := r.lines.Err(); err != nil {
		return Tick{}, time.Time{}, fmt.Errorf("read recorded ticks: %w", err)
	}
	return Tick{}, time.Time{}, io.EOF
}

func (r *recording) restart(time.Time) { r.pacer.Restart() }
