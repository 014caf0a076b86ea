package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

// replayTarget is where a replay goes: a Redis channel, a subject, another
// system's TICKS, or standard output where all are empty.
type replayTarget struct {
	channel string
	client  redis.UniversalClient // of the channel
	subject replay.PublisherConfig
	nats    *nats.Conn // of the other system
}

// replayTargetOf reads the flags and refuses what can be refused without asking
// a server. The caller closes.
func replayTargetOf(cmd *cli.Command) (replayTarget, error) {
	t := replayTarget{channel: cmd.String("to-redis"), subject: replay.PublisherConfig{Subject: cmd.String("to-subject")}}
	given := 0
	for _, where := range []string{t.channel, t.subject.Subject, cmd.String("to-nats")} {
		if where != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return t, usageErrorf("--to-redis, --to-subject and --to-nats exclude each other: give one")
	case cmd.IsSet("to-nats") && cmd.String("to-nats") == "":
		return t, flagErrorf(cmd, "to-nats", "is empty: give a URL, or leave it out for standard output")
	case cmd.String("to-nats") != "":
		err := stream.Config{Partitions: cmd.Int("to-partitions"), Replicas: cmd.Int("to-replicas")}.Validate()
		if err != nil {
			return t, usageErrorf("--to-partitions, --to-replicas: %w", err)
		}
		t.nats, err = dialNATS(natsTargetOf(cmd), "replay")
		return t, err
	case cmd.Bool("append"):
		return t, flagErrorf(cmd, "append", "is for a copy to another system: give --to-nats, or leave it out")
	case cmd.IsSet("to-redis") && t.channel == "":
		return t, flagErrorf(cmd, "to-redis", "is empty: give a channel, or leave it out for standard output")
	case cmd.IsSet("to-subject") && t.subject.Subject == "":
		return t, flagErrorf(cmd, "to-subject", "is empty: give a subject, or leave it out for standard output")
	case t.channel != "":
		if err := refuseAppV2Channel(cmd, t.channel); err != nil {
			return t, err
		}
		var err error
		t.client, err = connectRedis(redisConfigOf(cmd), "replay")
		return t, err
	case t.subject.Subject != "":
		return t, explainSubject(cmd, t.subject.Check())
	}
	return t, nil
}

func (t replayTarget) close() {
	if t.nats != nil {
		t.nats.Close()
	}
	if t.client != nil {
		_ = t.client.Close() // nothing is left to send
	}
}

// open makes the sink, once the servers agree.
func (t replayTarget) open(ctx context.Context, cmd *cli.Command, js jetstream.JetStream) (replay.Sink, error) {
	switch {
	case t.channel != "":
		if err := refuseBridgeSource(ctx, cmd, js, t.channel); err != nil {
			return nil, err
		}
		if err := refuseLiveChannel(ctx, cmd, t.client, t.channel); err != nil {
			return nil, err
		}
		return &redisSink{client: t.client, channel: t.channel}, nil
	case t.nats != nil:
		return t.copier(ctx, cmd, js)
	case t.subject.Subject != "":
		publisher, err := replay.NewPublisher(ctx, js.Conn(), t.subject)
		if err != nil {
			return nil, explainSubject(cmd, err)
		}
		return publisher, nil
	}
	return replay.NewWriter(cmd.Root().Writer), nil
}

// explainSubject names the flag and the mend of a subject that is refused.
func explainSubject(cmd *cli.Command, err error) error {
	switch {
	case errors.Is(err, replay.ErrSubject):
		return flagErrorf(cmd, "to-subject", "is %q: give one without wildcards, spaces, empty tokens or a leading $", cmd.String("to-subject"))
	case errors.Is(err, stream.ErrOwned):
		return usageErrorf("%s: %w; give a subject of your own, such as replay.%s", flagName(cmd, "to-subject"), err, replay.SymbolPlaceholder)
	}
	return err
}

// refuseAppV2Channel refuses the channels on which AppV2 expects something other
// than ticks.
func refuseAppV2Channel(cmd *cli.Command, channel string) error {
	if cmd.Bool("force-appv2-channel") {
		return nil
	}
	for _, c := range []event.Channels{event.NewChannels(event.DefaultNamespace), channelsOf(cmd)} {
		if c.Carries(channel) {
			return flagErrorf(cmd, "to-redis", "is %s, where AppV2 expects something other than ticks: give a channel of your own, or --force-appv2-channel", channel)
		}
	}
	return nil
}

// refuseBridgeSource refuses where a bridge of this system reads, for it would
// store every tick a second time. Nothing overrides it.
func refuseBridgeSource(ctx context.Context, cmd *cli.Command, js jetstream.JetStream, channel string) error {
	host, err := bridgeThatReads(ctx, js, channel)
	if err != nil {
		return err
	}
	if host != "" {
		return flagErrorf(cmd, "to-redis", "is %s, which the bridge on %s reads: it would store these ticks a second time; give another channel", channel, host)
	}
	return nil
}

// bridgeThatReads is the host of a bridge of this system that reads channel;
// empty if none does.
func bridgeThatReads(ctx context.Context, js jetstream.JetStream, channel string) (host string, err error) {
	bucket, err := js.KeyValue(ctx, stream.ComponentsBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return "", nil // nothing ever ran here
	}
	var reports []presence.Report
	if err == nil {
		reports, err = presence.List(ctx, bucket)
	}
	if err != nil {
		return "", fmt.Errorf("learn from bucket %s where the bridge reads, which must not be replayed to: %w", stream.ComponentsBucket, err)
	}
	reads := func(r presence.Report) bool { return r.Bridge != nil && r.Bridge.Source == channel }
	if i := slices.IndexFunc(reports, reads); i >= 0 {
		return reports[i].Host, nil
	}
	return "", nil
}

// refuseLiveChannel refuses AppV2's tick channels while somebody listens there.
func refuseLiveChannel(ctx context.Context, cmd *cli.Command, client redis.UniversalClient, channel string) error {
	live := false
	for _, channels := range []event.Channels{channelsOf(cmd), event.NewChannels(event.DefaultNamespace)} {
		live = live || channel == channels.Ticks || channel == channels.RawTicks
	}
	if !live || cmd.Bool("force-appv2-channel") {
		return nil
	}
	listening, err := bus.Subscribers(ctx, client, channel)
	if err != nil {
		return fmt.Errorf("ask Redis at %s who listens on %s: %w", redact(cmd.String("redis")), channel, err)
	}
	if n := listening[channel]; n > 0 {
		return flagErrorf(cmd, "to-redis", "is the live channel %s with %d subscribed, where these ticks would count as new: give another channel, or --force-appv2-channel", channel, n)
	}
	return nil
}
