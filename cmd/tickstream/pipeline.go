package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/worker"
	"github.com/urfave/cli/v3"
)

const pipelineDescription = `Makes bars, indicators, patterns and alerts of the ticks in TICKS. Any number of
pipelines share the work; one that is killed is taken over from within seconds,
with the same result.

Bars from a time on are made again from TICKS, and published as revisions where
the result differs, by
  tickstream pipeline --rebuild --from 2026-03-02T14:30:00Z`

const categoryPipeline = "Pipeline"

func pipelineCommand() *cli.Command {
	return &cli.Command{
		Name: "pipeline", Category: categoryRun, Usage: "Run the pipeline: bars, indicators, patterns and alerts",
		Description: pipelineDescription,
		Flags: flags(
			[]cli.Flag{
				&cli.BoolFlag{Name: "rebuild", Sources: env("pipeline", "rebuild"), Category: categoryPipeline,
					Usage: "make bars and signals from --from on again, then end"},
				&cli.TimestampFlag{Name: "from", Sources: env("pipeline", "from"), Category: categoryPipeline, Config: cli.TimestampConfig{Layouts: []string{time.RFC3339, time.DateOnly}},
					Usage: "`TIME` from which to rebuild: 2026-03-02T14:30:00Z or 2026-03-02"},
				latenessFlag(),
			},
			natsFlags(defaultNATSURL), databaseFlags(), pipelineFlags(), streamFlags(), roleHTTPFlags("pipeline", "127.0.0.1:8082", categoryPipeline),
		),
		Action: runPipeline,
	}
}

// latenessFlag is --lateness, which bridge and pipeline must agree on.
func latenessFlag() cli.Flag {
	return &cli.DurationFlag{Name: "lateness", Sources: env("lateness"), Category: categoryStreams, Value: 2 * time.Second,
		Usage: "how long after its event time a tick is still expected, the same for bridge and pipeline (`DURATION`)"}
}

func pipelineFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "timeframes", Sources: env("timeframes"), Category: categoryPipeline,
			Usage: "`NAMES` of the timeframes of bars: 1min, 5min, 15min, 60min, daily; none: all"},
		&cli.StringSliceFlag{Name: "signal-timeframes", Sources: env("signal-timeframes"), Category: categoryPipeline,
			Usage: "`NAMES` of the timeframes that indicators and patterns are computed on; none: 1min"},
		&cli.StringSliceFlag{Name: "indicators", Sources: env("indicators"), Category: categoryPipeline,
			Usage: "`NAMES` of the indicators; none: all"},
		&cli.StringSliceFlag{Name: "patterns", Sources: env("patterns"), Category: categoryPipeline,
			Usage: "`NAMES` of the patterns; none: all"},
		&cli.DurationFlag{Name: "grace", Sources: env("grace"), Category: categoryPipeline, Value: time.Second,
			Usage: "how long corrections of closed bars are gathered, in event time (`DURATION`)"},
		&cli.DurationFlag{Name: "correct-for", Sources: env("correct-for"), Category: categoryPipeline, Value: time.Hour,
			Usage: "how long after its end a bar is corrected; a later tick is a reject (`DURATION`)"},
		&cli.BoolFlag{Name: "end-stamped", Sources: env("end-stamped"), Category: categoryPipeline,
			Usage: "a tick on the minute belongs to the minute that ends, as with feeds of per-second aggregates"},
		&cli.StringFlag{Name: "market-zone", Sources: env("market-zone"), Category: categoryPipeline, Value: "America/New_York",
			Usage: "time `ZONE` whose midnight divides daily bars and the session's VWAP"},
		&cli.DurationFlag{Name: "checkpoint-interval", Sources: env("checkpoint-interval"), Category: categoryPipeline, Value: 10 * time.Second,
			Usage: "how much time a takeover goes through again at most (`DURATION`)"},
	}
}

func runPipeline(ctx context.Context, cmd *cli.Command) error {
	from, rebuild := cmd.Timestamp("from"), cmd.Bool("rebuild")
	if rebuild == from.IsZero() {
		return usageErrorf("--rebuild and --from go together: give the time from which to rebuild, such as --from 2026-03-02T14:30:00Z")
	}
	if now := time.Now(); rebuild && (!from.After(time.Unix(0, 0)) || from.After(now)) {
		return usageErrorf("--from is %s: give a time that has passed, in this age; it is %s now",
			from.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	streams, err := streamConfigOf(cmd)
	if err != nil {
		return err
	}
	if _, err := workerConfigOf(cmd, "check"); err != nil {
		return err
	}
	p, err := newProcess(cmd, presence.RolePipeline)
	if err != nil {
		return err
	}
	defer p.close()
	roles, err := p.pipelineRoles(cmd, streams)
	if err != nil {
		return err
	}
	if !rebuild {
		server, err := p.roleServer(cmd)
		if err != nil {
			return err
		}
		return p.run(ctx, append(roles, server...))
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	return runRoles(ctx, append(roles, role{"rebuild", func(ctx context.Context) error {
		defer done()
		return p.rebuild(ctx, from.UTC(), streams)
	}}))
}

// rebuild asks for it and waits until every partition is done, by this worker
// or another.
func (p *process) rebuild(ctx context.Context, from time.Time, streams stream.Config) error {
	layout, err := stream.Await(ctx, p.js, streams, p.log)
	if err != nil {
		return fmt.Errorf("prepare streams: %w", err)
	}
	if err := worker.RequestRebuild(ctx, p.js, layout.Partitions, from); err != nil {
		return fmt.Errorf("ask for the rebuild: %w", err)
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		done, err := worker.RebuildProgress(ctx, p.js, layout.Partitions, from)
		if err == nil && done.Partitions == layout.Partitions {
			p.log.Info("rebuilt", "from", from, "partitions", done.Partitions, "bars", done.Bars, "signals", done.Signals)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the rebuild: %w; it goes on in whichever pipeline runs next", ctx.Err())
		case <-ticker.C:
		}
	}
}

// workerConfigOf reads the pipeline's flags.
func workerConfigOf(cmd *cli.Command, instance string) (worker.Config, error) {
	cfg := worker.Config{
		Instance: instance,
		Aggregation: aggregate.Config{
			Lateness: cmd.Duration("lateness"), Grace: cmd.Duration("grace"), MaxAge: cmd.Duration("correct-for"),
			Timeframes: cmd.StringSlice("timeframes"), SignalTimeframes: cmd.StringSlice("signal-timeframes"),
			Indicators: cmd.StringSlice("indicators"), Patterns: cmd.StringSlice("patterns"),
			MarketZone: cmd.String("market-zone"), EndStamped: cmd.Bool("end-stamped"),
		},
		CheckpointInterval: cmd.Duration("checkpoint-interval"),
	}
	if err := cfg.Validate(); err != nil {
		return worker.Config{}, explainSettings(cmd, err)
	}
	return cfg, nil
}

// pipelineRoles are the worker, once the streams are there, the store where a
// database is given, their services and their presence.
func (p *process) pipelineRoles(cmd *cli.Command, streams stream.Config) ([]role, error) {
	cfg, err := workerConfigOf(cmd, p.instance)
	if err != nil {
		return nil, err
	}
	cfg.Telemetry = p.telemetry
	w, err := worker.New(cfg, p.js, p.log)
	if err != nil {
		return nil, fmt.Errorf("make the pipeline: %w", err)
	}
	p.readiness = append(p.readiness, w.Ready)
	var rows *store.Store
	var roles []role
	url, err := databaseURL(cmd)
	if err != nil {
		return nil, err
	}
	if url != "" {
		if rows, err = store.New(store.Config{URL: url, Instance: p.instance, MarketZone: cmd.String("market-zone")}, p.js, p.log); err != nil {
			return nil, &exitError{code: exitUsage, err: fmt.Errorf("--database (DATABASE_URL): %w", err)}
		}
		roles = append(roles, role{"store", rows.Run}, p.offer(serviceStore, "stores results in PostgreSQL",
			p.status(serviceStore, func(r *presence.Report) { r.Store = storeReport(rows.Report()) })))
	}
	return append(roles, []role{
		{"pipeline", func(ctx context.Context) error {
			layout, err := stream.Await(ctx, p.js, streams, p.log)
			if err != nil {
				return fmt.Errorf("prepare streams: %w", err)
			}
			return w.Run(ctx, layout.Partitions)
		}},
		p.offer(presence.RolePipeline, "makes bars, indicators, patterns and alerts of ticks",
			p.status(presence.RolePipeline, func(r *presence.Report) { r.Pipeline = w.Report() })),
		p.announce(presence.RolePipeline, func(r *presence.Report) {
			if r.Pipeline = w.Report(); rows != nil {
				r.Store = storeReport(rows.Report())
			}
		}),
	}...), nil
}

// storeReport is the store's report as its process's presence tells it.
func storeReport(r store.Report) *presence.Store {
	report := &presence.Store{
		Active: r.Writer, Error: r.LastError, StoredAt: r.LastCommit,
		Rows: map[string]int64{}, Refused: map[string]int64{}, Skipped: map[string]string{},
	}
	for _, t := range r.Tables {
		report.Rows[t.Table] = t.Rows
		if t.Refused > 0 {
			report.Refused[t.Table] = t.Refused
		}
		if t.Skipped != "" {
			report.Skipped[t.Table] = t.Skipped
		}
	}
	return report
}
