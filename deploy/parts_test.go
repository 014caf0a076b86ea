package deploy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/worker"
	"golang.org/x/sync/errgroup"
)

// The parts themselves, as the roles run them, on a server without streams.
func TestPartsRun(t *testing.T) {
	s := startServer(t)
	ingress, consumer := connect(t, s, presence.RoleBridge), connect(t, s, presence.RolePipeline)
	redis := testbed.StartRedis(t)
	bridge, err := bridge.NewIngress(bridge.Config{Instance: "one", Channel: redis.Channels.Ticks}, redis.Client(), ingress.js, stream.Config{}, nil, quiet)
	if err != nil {
		t.Fatalf("make ingress: %v", err)
	}
	work, err := worker.New(worker.Config{Instance: "two"}, consumer.js, quiet)
	if err != nil {
		t.Fatalf("make the pipeline: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return bridge.Run(ctx) }) // both end with stop
	group.Go(func() error {
		layout, err := stream.Await(ctx, consumer.js, stream.Config{}, quiet)
		if err != nil {
			return fmt.Errorf("prepare streams: %w", err)
		}
		return work.Run(ctx, layout.Partitions)
	})

	client := redis.Client()
	testbed.Eventually(t, 10*time.Second, "the bridge subscribes and the pipeline consumes", func(context.Context) bool {
		return len(work.Report().Partitions) == stream.DefaultPartitions && bridge.Report().Subscribed
	})
	for _, payload := range []string{
		fmt.Sprintf(`{"type":"market_tick","symbol":"BRK.B","price":400.5,"volume":10,"timestamp":%d,"source":"test"}`, time.Now().Unix()),
		"no tick",
	} {
		if err := client.Publish(t.Context(), redis.Channels.Ticks, payload).Err(); err != nil {
			t.Fatalf("publish to redis: %v", err)
		}
	}
	testbed.Eventually(t, 10*time.Second, "the tick and the reject are stored and consumed", func(ctx context.Context) bool {
		rejects, err := ingress.js.Stream(ctx, stream.Rejects)
		if err != nil {
			return false
		}
		info, err := rejects.Info(ctx, jetstream.WithSubjectFilter(stream.RejectSubject("not_json")))
		return err == nil && len(info.State.Subjects) == 1 && bridge.Report().Stored == 1
	})
	testbed.Eventually(t, 10*time.Second, "the tick is taken in", func(context.Context) bool { return work.Report().Consumed > 1 })
	stop()
	if err := group.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	ingress.mustBeAllowed()
	consumer.mustBeAllowed()
}
