package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	askTimeout = 2 * time.Second // for one question to a server
	// listenFor is how long ticks are listened for, and TICKS is watched.
	listenFor = 1500 * time.Millisecond
	// listenLonger is how long that is while no tick comes.
	listenLonger = 4500 * time.Millisecond
)

// Config of an examination.
type Config struct {
	// HealthInterval is the time between two health events. Defaults to 5 s.
	HealthInterval time.Duration
	// Channels that AppV2 and tickstream share.
	Channels event.Channels
	// NATSURL and RedisURL are shown; they must hold no password.
	NATSURL, RedisURL string
	// UniverseKey is looked for in the database.
	UniverseKey string
}

// Servers are how to reach them.
type Servers struct {
	// NATS connects, once.
	NATS func() (*nats.Conn, error)
	// Redis is a client that need not be connected.
	Redis redis.UniversalClient
	// Database connects, once; nil where none is configured.
	Database func(context.Context) (*pgx.Conn, error)
}

// Examine observes every hop. It takes about as long as the health interval,
// unless an event comes earlier, and always returns what it saw.
func Examine(ctx context.Context, cfg Config, servers Servers) Facts {
	cfg.HealthInterval = cmp.Or(cfg.HealthInterval, 5*time.Second)
	e := &examiner{cfg: cfg, servers: servers, located: make(chan struct{})}
	e.facts.HealthInterval = cfg.HealthInterval
	var group sync.WaitGroup
	// Each writes its own part of the facts and ends by its timeouts or ctx.
	redisDone := make(chan struct{})
	group.Go(func() { e.nats(ctx, redisDone) })
	group.Go(func() { defer close(redisDone); e.redis(ctx) })
	group.Go(func() { e.database(ctx) })
	group.Wait()
	return e.facts
}

// examiner is one examination.
type examiner struct {
	cfg     Config
	servers Servers
	facts   Facts
	// located is closed once source says where the bridge reads, if it does.
	located chan struct{}
	source  string
}

func (e *examiner) database(ctx context.Context) {
	if e.servers.Database == nil {
		return
	}
	d := &Database{Universe: e.cfg.UniverseKey}
	e.facts.Database = d
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	conn, err := e.servers.Database(ctx)
	if err != nil {
		d.Err = strings.Join(strings.Fields(err.Error()), " ") // the driver puts each address on a line of its own
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was only read from
	asked := time.Now()
	if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&d.Version); err != nil {
		d.Err = "the database does not answer: " + err.Error()
		return
	}
	d.RTT = time.Since(asked)
	for _, table := range []string{
		"cache_entries", "ohlcv_1min", "streaming_sessions", "intraday_patterns", "intraday_indicators", "streaming_health_metrics",
	} {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil {
			d.Err = "the tables cannot be listed: " + err.Error()
			return
		}
		if !there {
			d.Missing = append(d.Missing, table)
		}
	}
	found, err := universe.Load(ctx, universe.Config{Key: e.cfg.UniverseKey}, conn, slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		d.UniverseErr = err.Error()
	case found.Origin != universe.OriginDatabase:
		d.UniverseErr = fmt.Sprintf("cache_entries does not hold the key %s", e.cfg.UniverseKey)
	}
	d.Symbols = len(found.Symbols)
}

// ExamineRole observes only what [JudgeRole] needs for that role, well within a
// second, and asks NATS for nothing that the role's own user may not see.
func ExamineRole(ctx context.Context, cfg Config, servers Servers, role string) Facts {
	cfg.HealthInterval = cmp.Or(cfg.HealthInterval, 5*time.Second)
	e := &examiner{cfg: cfg, servers: servers, located: make(chan struct{})}
	e.facts.HealthInterval = cfg.HealthInterval
	e.facts.NATS.URL = cfg.NATSURL
	conn, err := e.connectNATS()
	if err != nil {
		return e.facts
	}
	defer conn.close()
	if role == presence.RoleHealth {
		conn.health(ctx)
	}
	conn.components(ctx)
	return e.facts
}

// age is how old something is by the server's clock; a moment of the future is
// of now.
func age(now, then time.Time) time.Duration { return max(0, now.Sub(then)) }

// sourceOf is where the bridges that report say they read.
func sourceOf(reports []presence.Report) string {
	for _, report := range reports {
		if report.Bridge != nil && report.Bridge.Source != "" {
			return report.Bridge.Source
		}
	}
	return ""
}

// sentence is a short form of an error for the report.
func sentence(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
