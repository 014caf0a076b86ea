package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/health/web"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/urfave/cli/v3"
)

// page is the dashboard and the server of it, which listens already. The default
// address gives way to a free port; one that was asked for does not.
func (p *process) page(cmd *cli.Command, monitor *health.Monitor, reruns *replays.Replays, symbols []string) (*dashboard.Dashboard, *web.Server, error) {
	board, err := dashboard.New(dashboard.Config{Symbols: symbols}, dashboard.Deps{
		Source: monitor, JetStream: p.js, Replays: reruns, Log: p.log,
	})
	if err != nil {
		return nil, nil, explainSettings(cmd, err)
	}
	content := web.HealthContent(monitor, board.Handler())
	content.Metrics = p.metrics.Handler()
	p.metrics.AddSystem(monitor)
	server, err := p.listen(cmd, content)
	if err != nil {
		return nil, nil, err
	}
	return board, server, nil
}

// openReplaySink opens a Redis channel for a replay from the dashboard or over
// NATS. Nothing overrides its refusals, for whoever can open the page can ask.
func (p *process) openReplaySink(ctx context.Context, channel string) (replay.Sink, error) {
	for _, c := range []event.Channels{p.channels, event.NewChannels(event.DefaultNamespace)} {
		if channel == c.Ticks || channel == c.RawTicks {
			return nil, fmt.Errorf("%s is the live channel, where these ticks would count as new: give a channel of your own, such as %s", channel, p.channels.Replay)
		}
		if c.Carries(channel) {
			return nil, fmt.Errorf("on %s AppV2 expects something other than ticks: give a channel of your own, such as %s", channel, p.channels.Replay)
		}
	}
	host, err := bridgeThatReads(ctx, p.js, channel)
	if err != nil {
		return nil, err
	}
	if host != "" {
		return nil, fmt.Errorf("the bridge on %s reads %s and would store these ticks a second time: give another channel", host, channel)
	}
	return &redisSink{client: p.redis, channel: channel}, nil
}

// tidy is symbols in their order, each once.
func tidy(symbols []string) []string { return slices.Compact(slices.Sorted(slices.Values(symbols))) }
