package main

import (
	"context"
	"fmt"

	"github.com/tickstock/tickstream/pipeline"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const pipelineDescription = `Makes sure of the streams and consumes TICKS, so that the consumer's backlog
tells whether consumption keeps up.`

func pipelineCommand() *cli.Command {
	return &cli.Command{
		Name: "pipeline", Category: categoryRun, Usage: "Run the pipeline: make the streams, consume TICKS",
		Description: pipelineDescription,
		Flags:       flags(natsFlags(defaultNATSURL), streamFlags()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			p, err := newProcess(cmd, presence.RolePipeline)
			if err != nil {
				return err
			}
			defer p.close()
			streams, err := streamConfigOf(cmd)
			if err != nil {
				return err
			}
			return p.run(ctx, p.pipelineRoles(streams))
		},
	}
}

// pipelineRoles are the meter, once the streams are there, and its presence.
func (p *process) pipelineRoles(streams stream.Config) []role {
	meter := pipeline.NewMeter(p.js, p.log)
	return []role{
		{"pipeline", func(ctx context.Context) error {
			if _, err := stream.Await(ctx, p.js, streams, p.log); err != nil {
				return fmt.Errorf("prepare streams: %w", err)
			}
			return meter.Run(ctx)
		}},
		p.announce(presence.RolePipeline, func(r *presence.Report) { r.Pipeline = meter.Report() }),
	}
}
