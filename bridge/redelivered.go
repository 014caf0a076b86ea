package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// withoutKept takes off batch, and settles, what an earlier life of the bridge
// kept already, as a tick or as a reject: redelivered entries are looked up from
// the time of the oldest on, so that it does not matter how long ago that was.
func (p *publisher) withoutKept(ctx context.Context, batch []message) ([]message, error) {
	var (
		ids    []string
		oldest time.Time
	)
	for i := range batch {
		if !batch[i].redelivered {
			continue
		}
		ids = append(ids, batch[i].entryID)
		if at := entryTime(batch[i].entryID); oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if len(ids) == 0 {
		return batch, nil
	}
	for _, name := range []string{stream.Ticks, stream.Rejects} {
		kept := newSearch(p.appender.js, name, p.cfg.PublishTimeout, oldest, place{}, ids)
		if err := p.finish(ctx, kept); err != nil {
			return nil, err
		}
		if name == stream.Ticks && p.appender.last.created.IsZero() {
			// Whoever had these before may store them yet, and is noticed by that
			// the stream has gone on from there.
			p.appender.last, p.appender.copies = kept.end(), kept.copies
		}
		batch = slices.DeleteFunc(batch, func(m message) bool {
			if !m.redelivered || !kept.found[m.entryID] {
				return false
			}
			p.settle(ctx, []message{m})
			return true
		})
	}
	return batch, nil
}

// finish runs a search until it comes to the end or ctx ends.
func (p *publisher) finish(ctx context.Context, s *search) error {
	wait := newBackoff()
	for {
		connected, cancel := whileConnected(ctx, s.js.Conn())
		err := s.run(connected)
		cancel()
		if err == nil {
			return nil
		}
		if gone(err) {
			err = errors.Join(err, p.appender.restore(ctx))
		}
		pause(ctx, s.js.Conn(), wait.NextBackOff())
		if ctx.Err() != nil {
			return fmt.Errorf("look up redelivered entries: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// entryTime is the time in a Redis stream entry's id (milliseconds-sequence).
func entryTime(id string) time.Time {
	millis, _, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(millis, 10, 64)
	if err != nil {
		return time.Unix(0, 0)
	}
	return time.UnixMilli(ms)
}
