package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/urfave/cli/v3"
)

// doctorPatience is how long an examination may take beyond waiting for a
// health event: each server that is away costs some seconds.
const doctorPatience = 20 * time.Second

// doctorEndpoint examines as tickstream doctor does, from where health runs.
// Requests that come during an examination are answered by it.
func (p *process) doctorEndpoint(cmd *cli.Command) (service.Endpoint, error) {
	cfg := doctor.Config{
		HealthInterval: cmd.Duration("health-interval"), Channels: p.channels,
		NATSURL: redact(p.natsCfg.URL), RedisURL: redact(p.redisCfg.URL), UniverseKey: cmd.String("universe"),
	}
	servers := doctor.Servers{NATS: func() (*nats.Conn, error) { return pingNATS(p.natsCfg) }, Redis: p.redis}
	url, err := databaseURL(cmd)
	if err != nil {
		return service.Endpoint{}, err
	}
	if url != "" {
		servers.Database = func(ctx context.Context) (*pgx.Conn, error) { return connectDatabase(ctx, url) }
	}
	var mu sync.Mutex
	var last doctorReport
	var at time.Time
	return service.Endpoint{
		Name: "doctor", Description: "finds out what is broken, hop by hop; takes some seconds", Timeout: cfg.HealthInterval + doctorPatience,
		Handle: func(ctx context.Context, _ []byte) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			// What waited behind an examination is answered right after it.
			if time.Since(at) < time.Second {
				return last, nil
			}
			checks := doctor.Judge(doctor.Examine(ctx, cfg, servers))
			if err := ctx.Err(); err != nil {
				return nil, service.Refuse(service.Unavailable, "the examination was broken off: its report would not be true")
			}
			last, at = newDoctorReport(checks, false), time.Now()
			return last, nil
		},
	}, nil
}
