package stream

import (
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// limits are those of a stream that were asked for; zero is not asked for.
type limits struct {
	maxAge, duplicates time.Duration
	maxBytes           int64
	replicas           int
}

// asked are the limits that c sets for a stream. It must not have its defaults.
func (c Config) asked(name string) limits {
	asked := limits{replicas: c.Replicas}
	switch name {
	case Ticks:
		asked.maxAge, asked.maxBytes, asked.duplicates = c.TicksMaxAge, c.TicksMaxBytes, c.DuplicateWindow
	case Bars:
		asked.maxAge = c.BarsMaxAge
	case Signals:
		asked.maxAge = c.SignalsMaxAge
	case Health:
		asked.maxAge = c.HealthMaxAge
	case Rejects:
		asked.maxAge, asked.maxBytes = c.RejectsMaxAge, c.RejectsMaxBytes
	}
	return asked
}

// of is have with the limits that were asked for.
func (l limits) of(have jetstream.StreamConfig) jetstream.StreamConfig {
	orDefault(&l.maxAge, have.MaxAge)
	orDefault(&l.maxBytes, have.MaxBytes)
	orDefault(&l.replicas, have.Replicas)
	if l.duplicates == 0 {
		l.duplicates = have.Duplicates
		if l.maxAge > 0 { // the server refuses a window beyond the age
			l.duplicates = min(l.duplicates, l.maxAge)
		}
	}
	have.MaxAge, have.MaxBytes, have.Replicas, have.Duplicates = l.maxAge, l.maxBytes, l.replicas, l.duplicates
	return have
}

func limitsDiffer(have, want jetstream.StreamConfig) bool {
	return have.MaxAge != want.MaxAge || have.MaxBytes != want.MaxBytes ||
		have.Replicas != want.Replicas || have.Duplicates != want.Duplicates
}

// warnOfLoss warns where a limit that was asked for costs something.
func warnOfLoss(have *jetstream.StreamInfo, want jetstream.StreamConfig, log *slog.Logger) {
	if want.MaxBytes > 0 && have.State.Bytes > uint64(want.MaxBytes) {
		log.Warn("the oldest messages of a stream are deleted: it is to be smaller than what it holds",
			"stream", want.Name, "bytes", have.State.Bytes, "max_bytes", want.MaxBytes)
	}
	if want.MaxAge > 0 && have.State.Msgs > 0 && time.Since(have.State.FirstTime) > want.MaxAge {
		log.Warn("the oldest messages of a stream are deleted: it is to keep them for a shorter time",
			"stream", want.Name, "oldest", have.State.FirstTime.UTC(), "max_age", want.MaxAge)
	}
	if want.Replicas < have.Config.Replicas {
		log.Warn("a stream is to have fewer copies", "stream", want.Name, "had", have.Config.Replicas, "replicas", want.Replicas)
	}
}
