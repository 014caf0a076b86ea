package main

import (
	"context"
	"fmt"

	"github.com/tickstock/tickstream/cmd/tickstream/feed"
)

// feedRole is the synthetic feed of up, on a client that does not repeat what
// may have been published.
func (p *process) feedRole(redisCfg redisConfig, rate float64, symbols []string) (role, error) {
	redisCfg.NoRetries = true
	client, err := connectRedis(redisCfg, "sim")
	if err != nil {
		return role{}, err
	}
	f, err := feed.New(feed.Config{Symbols: symbols, Rate: rate, Channel: p.channels.Ticks}, client, p.log)
	if err != nil {
		return role{}, usageErrorf("--sim: %w", err)
	}
	return role{"feed", func(ctx context.Context) error {
		defer func() { _ = client.Close() }() // nothing is left to send
		if err := f.Run(ctx); err != nil {
			return fmt.Errorf("publish the synthetic feed: %w", err)
		}
		return nil
	}}, nil
}
