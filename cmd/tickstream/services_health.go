package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
)

// healthStatus is how the system is, as one health process sees it.
type healthStatus struct {
	presence.Report
	// Leads is whether this process publishes, by bus.
	Leads map[string]bool `json:"leads"`
	// Session is the one that runs, or the last one.
	Session session.Record `json:"session"`
	// Event is the latest health event of this process, as it goes out.
	Event json.RawMessage `json:"event"`
}

// healthStatus is the endpoint that tells what a monitor knows.
func (p *process) healthStatus(monitor *health.Monitor) service.Endpoint {
	return service.Endpoint{
		Name: statusEndpoint, Description: "the health of the system, as this process sees it", Each: true,
		Handle: func(context.Context, []byte) (any, error) {
			s := monitor.Snapshot()
			if s.Payload == nil {
				return nil, service.Refuse(service.Unavailable, "there has been no health event yet: ask again in a moment")
			}
			status := healthStatus{
				Report: p.report(presence.RoleHealth, func(r *presence.Report) { r.ReportedAt = time.Now().UTC() }),
				Leads:  map[string]bool{}, Session: s.Session, Event: s.Payload,
			}
			for _, b := range s.Buses {
				status.Leads[b.Name] = b.Leading
			}
			return status, nil
		},
	}
}
