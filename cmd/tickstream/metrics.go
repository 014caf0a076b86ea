package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tickstock/tickstream/health/metrics"
	"github.com/tickstock/tickstream/health/web"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"github.com/urfave/cli/v3"
)

// watched is what a process lets others see of it.
type watched struct {
	metrics   *metrics.Registry
	telemetry *telemetry.Telemetry
	endTraces func()
	readiness []func() error // of its roles
}

// watch begins to tell of a process that is connected.
func (p *process) watch(name string) error {
	tracer, end, err := startTracing(context.Background(), name, p.instance, p.log)
	if err != nil {
		return err
	}
	build := currentBuild()
	p.watched = watched{metrics: metrics.New(build.Version, build.Commit, p.log), telemetry: telemetry.New(tracer), endTraces: end}
	p.metrics.Add(p.telemetry)
	p.metrics.AddNATS(p.nats)
	return nil
}

// live tells whether every part of this process answers.
func (p *process) live(ctx context.Context) error {
	if err := p.metrics.Answers(ctx); err != nil {
		return fmt.Errorf("a part of this process does not answer: %w", err)
	}
	return nil
}

// ready tells whether every role of this process is.
func (p *process) ready(context.Context) error {
	for _, ready := range p.readiness {
		if err := ready(); err != nil {
			return err
		}
	}
	return nil
}

// roleServer serves the metrics and probes of a role that has no page, where it
// is to; nil roles where not.
func (p *process) roleServer(cmd *cli.Command) ([]role, error) {
	if cmd.String("http") == httpOff {
		return nil, nil
	}
	server, err := p.listen(cmd, web.Content{Live: p.live, Ready: p.ready, Metrics: p.metrics.Handler()})
	if err != nil {
		return nil, err
	}
	p.log.Info("metrics and probes are served", "url", server.URL()+"metrics")
	return []role{{"web server", server.Run}}, nil
}

// listen makes the server of a content, which listens already.
func (p *process) listen(cmd *cli.Command, content web.Content) (*web.Server, error) {
	cfg, err := httpConfigOf(cmd)
	if err != nil {
		return nil, err
	}
	server, err := web.New(cfg, content, p.log)
	if err != nil {
		return nil, explainSettings(cmd, err)
	}
	if err := server.Listen(); err != nil {
		if _, ok := errors.AsType[*net.OpError](err); ok {
			return nil, flagErrorf(cmd, "http", "cannot be listened on: %v", err)
		}
		return nil, err
	}
	return server, nil
}
