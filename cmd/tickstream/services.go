package main

import (
	"context"
	"os"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
)

// The services that are no role of their own.
const (
	serviceEgress = "egress"
	serviceStore  = "store"
)

const statusEndpoint = "status"

// identity is how each service of this process is shown.
func (p *process) identity() service.Identity {
	b := currentBuild()
	return service.Identity{Version: b.Version, Metadata: map[string]string{
		"instance": p.instance, "host": p.host, "pid": strconv.Itoa(os.Getpid()), "process": p.name, "commit": b.Commit,
	}}
}

// offer is the role that answers requests to a part of this process.
func (p *process) offer(name, description string, endpoints ...service.Endpoint) role {
	return role{name + " service", func(ctx context.Context) error {
		s, err := service.New(service.Config{Identity: p.identity(), Name: name, Description: description, Endpoints: endpoints}, p.nats, p.log)
		if err != nil {
			return err
		}
		return s.Run(ctx)
	}}
}

// status is the endpoint that tells what a part says of itself, at this moment.
func (p *process) status(name string, detail func(*presence.Report)) service.Endpoint {
	return service.Endpoint{
		Name: statusEndpoint, Description: "what this " + name + " says of itself", Each: true,
		Handle: func(context.Context, []byte) (any, error) {
			report := p.report(name, detail)
			report.ReportedAt = time.Now().UTC()
			return report, nil
		},
	}
}
