package main

import (
	"context"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/calendar"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const healthDescription = `Owns the session and publishes the health of the system every few seconds, and
at once on each change, to JetStream and to AppV2's Redis channel. Several may
run: one publishes on each bus, another takes over when it is gone.`

const (
	categoryHealth  = "Health"
	categorySession = "Session"
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", Category: categoryRun, Usage: "Run health: own the session, publish health on both buses",
		Description: healthDescription,
		Flags:       flags(natsFlags(defaultNATSURL), redisFlags(defaultRedisURL), healthFlags(), streamFlags()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			p, err := newProcess(cmd, presence.RoleHealth)
			if err != nil {
				return err
			}
			defer p.close()
			streams, err := streamConfigOf(cmd)
			if err != nil {
				return err
			}
			parts, err := p.healthRoles(ctx, cmd, streams, false)
			if err != nil {
				return err
			}
			return p.run(ctx, parts.roles)
		},
	}
}

func healthFlags() []cli.Flag {
	duration := func(name, category string, value time.Duration, usage string) cli.Flag {
		return &cli.DurationFlag{Name: name, Sources: env(name), Category: category, Value: value, Usage: usage + " (`DURATION`)"}
	}
	return append([]cli.Flag{
		healthIntervalFlag(categoryHealth),
		&cli.BoolFlag{Name: "legacy-status-words", Sources: env("legacy-status-words"), Category: categoryHealth,
			Usage: "say warning for starting and degraded, and critical for error"},
		duration("active-window", categoryHealth, time.Minute, "a symbol without a tick for so long is stale"),
		duration("startup-grace", categoryHealth, time.Minute, "how long a session may be starting without a tick"),
		duration("quiet-after", categoryHealth, 6*time.Second, "no tick for so long after a steady flow is degraded"),
		duration("stall-after", categoryHealth, 30*time.Second, "no tick for so long is an error while the market is open"),
		&cli.FloatFlag{Name: "stale-share", Sources: env("stale-share"), Category: categoryHealth, Value: 0.05,
			Usage: "`SHARE` of the universe that may be stale before health is degraded"},
		duration("lag-warning", categoryHealth, 2*time.Second, "a lag that is degraded"),
		duration("lag-critical", categoryHealth, 30*time.Second, "a lag that is an error"),
		&cli.StringFlag{Name: "session", Sources: env("session"), Category: categorySession, DefaultText: "market; with up --sim always",
			Usage:     "`MODE` of sessions: market (by the calendar), always or manual (tickstream session start)",
			Validator: oneOf(string(session.ModeMarket), string(session.ModeAlways), string(session.ModeManual))},
		&cli.StringFlag{Name: "hours", Sources: env("hours"), Category: categorySession, Value: string(calendar.Regular),
			Usage:     "`HOURS` of the market: regular (09:30 to 16:00 in New York) or extended (04:00 to 20:00)",
			Validator: oneOf(string(calendar.Regular), string(calendar.Extended))},
		&cli.StringFlag{Name: "calendar-file", Sources: env("calendar-file"), Category: categorySession, TakesFile: true,
			Usage: "`FILE` of closed days and early closes that are not in the built-in calendar"},
	}, slices.Concat(httpFlags(), databaseFlags(), universeFlags())...)
}

// healthParts is what the health role is made of.
type healthParts struct {
	roles   []role
	symbols []string
	url     string // of the dashboard
	monitor *health.Monitor
}

// healthRoles are the monitor, its dashboard, its service and its presence.
func (p *process) healthRoles(ctx context.Context, cmd *cli.Command, streams stream.Config, always bool) (healthParts, error) {
	usage := func(err error) (healthParts, error) {
		return healthParts{}, explainSettings(cmd, err)
	}
	modeName := cmd.String("session")
	switch {
	case modeName == "" && always:
		modeName = string(session.ModeAlways)
	case modeName == "":
		modeName = string(session.ModeMarket)
	}
	mode, err := session.ParseMode(modeName)
	if err != nil {
		return usage(err)
	}
	days, err := calendar.New(calendar.Config{Hours: calendar.Hours(cmd.String("hours")), OverrideFile: cmd.String("calendar-file")})
	if err != nil {
		return usage(err)
	}
	symbols, err := loadUniverse(ctx, cmd, p.log)
	if err != nil {
		return healthParts{}, err
	}
	observer, err := observe.New(observe.Config{ActiveWindow: cmd.Duration("active-window")}, observe.Deps{
		JetStream: p.js, Universe: symbols.Symbols, Log: p.log,
	})
	if err != nil {
		return usage(err)
	}
	judge, err := observe.NewJudge(thresholdsOf(cmd))
	if err != nil {
		return usage(err)
	}
	reruns, err := replays.New(p.channels.Replay, replays.Deps{JetStream: p.js, OpenSink: p.openReplaySink, Log: p.log})
	if err != nil {
		return healthParts{}, err
	}
	prepared := newStreamsWatch(p.js, streams, streamsRetry, p.log)
	deps := health.Deps{
		JetStream: p.js, Redis: p.redis, Observer: observer, Judge: judge, Calendar: days,
		Universe: symbols, Usage: p.usage, Streams: prepared.now, Log: p.log,
		Offers: []service.Config{reruns.Service(p.identity())},
	}
	parts := healthParts{symbols: symbols.Symbols}
	url, err := databaseURL(cmd)
	if err != nil {
		return healthParts{}, err
	}
	if url != "" {
		database, err := newDatabaseWatch(ctx, url)
		if err != nil {
			return healthParts{}, err
		}
		deps.Database = database.now
		parts.roles = append(parts.roles, role{"database", database.run})
	}
	monitor, err := health.New(health.Config{
		Identity: p.identity(),
		Interval: cmd.Duration("health-interval"), Mode: mode, Channels: p.channels,
		LegacyStatusWords: cmd.Bool("legacy-status-words"), Holder: p.instance, Alone: always,
	}, deps)
	if err != nil {
		return usage(err)
	}
	page, server, err := p.page(cmd, monitor, reruns, tidy(symbols.Symbols))
	if err != nil {
		return healthParts{}, err
	}
	examine, err := p.doctorEndpoint(cmd)
	if err != nil {
		return healthParts{}, err
	}
	parts.monitor, parts.url = monitor, server.URL()
	parts.roles = append(parts.roles,
		role{"health", monitor.Run},
		p.offer(presence.RoleHealth, "measures the system and tells both buses how it is", p.healthStatus(monitor), examine),
		role{"dashboard", page.Run},
		role{"replays", reruns.Run},
		role{"web server", server.Run},
		role{"streams", prepared.run},
		p.announce(presence.RoleHealth, func(r *presence.Report) { r.Health = monitor.Report() }),
	)
	return parts, nil
}

// tellOf has health tell of a role that fails before the process ends by it.
func (h healthParts) tellOf(roles []role) []role {
	told := slices.Clone(roles)
	for i, r := range roles {
		told[i].run = func(ctx context.Context) error {
			err := r.run(ctx)
			if err != nil && ctx.Err() == nil {
				h.monitor.Failed(ctx, r.name, err)
			}
			return err
		}
	}
	return told
}
