package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
)

// Config of a monitor. The zero value means the defaults.
type Config struct {
	// Interval between two health events, 1 s to 60 s. Defaults to 5 s.
	Interval time.Duration
	// Mode says what starts and stops sessions. Defaults to the market's hours.
	Mode session.Mode
	// Channels of Redis. Defaults to those of [event.DefaultNamespace].
	Channels event.Channels
	// LegacyStatusWords makes events say warning for starting and degraded, and
	// critical for error, as the older generation of AppV2 paints them.
	LegacyStatusWords bool
	// Alone says that nobody need ever listen on Redis. Once somebody did as AppV2
	// does, it is an issue all the same that nobody does any more.
	Alone bool
	// RepeatSession is how often the session is announced again on Redis, which
	// forgets, in case that a listener came and was not noticed. At least 1 s.
	// Defaults to 1 minute.
	RepeatSession time.Duration
	// Holder names this process among those that would publish; it must be
	// unique. Defaults to a random one.
	Holder string
	// Identity is how the service of the session is shown. Defaults to nothing.
	Identity service.Identity
	// Now is the clock of sessions and events. Defaults to [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = 5 * time.Second
	}
	if c.Channels == (event.Channels{}) {
		c.Channels = event.NewChannels(event.DefaultNamespace)
	}
	if c.RepeatSession == 0 {
		c.RepeatSession = time.Minute
	}
	if c.Holder == "" {
		c.Holder = uuid.NewString()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Interval < time.Second || c.Interval > time.Minute {
		return fmt.Errorf("health interval is %v: give 1s to 60s", c.Interval)
	}
	if c.RepeatSession < time.Second {
		return fmt.Errorf("session repetition is %v: give at least 1s", c.RepeatSession)
	}
	return nil
}

// Observer measures the system; [observe.Observer] does.
type Observer interface {
	// Run measures until ctx ends.
	Run(ctx context.Context) error
	// Measure measures once, now.
	Measure(ctx context.Context) (observe.Facts, error)
	// Facts are the latest, without waiting.
	Facts() observe.Facts
	// SetSession says which symbols count, and from when on.
	SetSession(universe []string, startedAt time.Time)
}

// Judge turns facts into a status; [observe.Judge] does.
type Judge interface {
	Verdict(facts observe.Facts, around observe.Surroundings) observe.Verdict
}

// Sampler measures this process; [presence.Sampler] does.
type Sampler interface {
	Sample() presence.Usage
}

// Deps are what a monitor works with. All are required but Database, Streams and
// Offers.
type Deps struct {
	JetStream jetstream.JetStream
	// Redis must be a client with ContextTimeoutEnabled: without it a Redis that
	// hangs would hold this process back when it is asked to end.
	Redis    redis.UniversalClient
	Observer Observer
	Judge    Judge
	Calendar session.Calendar
	Universe universe.Universe
	Usage    Sampler
	// Database is whether PostgreSQL answers; nil where none is configured.
	Database func() observe.Reach
	// Streams is whether the streams could be prepared; nil where this process
	// does not prepare them.
	Streams func() observe.Reach
	// Offers are further services of whoever leads on NATS, besides the session's.
	Offers []service.Config
	Log    *slog.Logger
}

func (d Deps) validate() error {
	switch {
	case d.JetStream == nil || d.Redis == nil || d.Observer == nil || d.Judge == nil || d.Calendar == nil || d.Usage == nil || d.Log == nil:
		return errors.New("health monitor: JetStream, Redis, Observer, Judge, Calendar, Usage and Log must be set")
	case !endsWithContext(d.Redis):
		return errors.New("health monitor: the Redis client must have ContextTimeoutEnabled")
	}
	return nil
}

func endsWithContext(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return true // of another kind, which its maker knows
}
