package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// silenceAfter is how many questions in a row JetStream leaves open before
	// another server is tried: longer than a cluster needs to elect a leader.
	silenceAfter = 5
	askInterval  = 2 * time.Second
)

// elsewhere changes to another server of a cluster when JetStream does not answer
// at the one that the process is connected to: a server that was cut off from
// the others keeps its clients, who would wait with it. It returns when ctx ends.
func elsewhere(ctx context.Context, js jetstream.JetStream, log *slog.Logger) {
	nc := js.Conn()
	ticker := time.NewTicker(askInterval)
	defer ticker.Stop()
	for silent := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !nc.IsConnected() || len(nc.Servers()) < 2 || answers(ctx, js) {
			silent = 0
			continue
		}
		if silent++; silent < silenceAfter || ctx.Err() != nil {
			continue
		}
		silent = 0
		log.Warn("JetStream does not answer at this server, trying another", "url", redact(nc.ConnectedUrl()))
		if err := nc.ForceReconnect(); err != nil {
			log.Debug("cannot leave the server", "err", err)
		}
	}
}

// answers tells whether the cluster's leader is heard of.
func answers(ctx context.Context, js jetstream.JetStream) bool {
	ctx, cancel := context.WithTimeout(ctx, askInterval)
	defer cancel()
	_, err := js.AccountInfo(ctx)
	return err == nil
}
