package bus

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Subscribers counts who listens on each channel, over all nodes of a cluster.
func Subscribers(ctx context.Context, client redis.UniversalClient, channels ...string) (map[string]int64, error) {
	var mu sync.Mutex
	sum := make(map[string]int64, len(channels))
	add := func(ctx context.Context, node redis.Cmdable) error {
		counts, err := node.PubSubNumSub(ctx, channels...).Result()
		if err != nil {
			return fmt.Errorf("count subscribers: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		for channel, n := range counts {
			sum[channel] += n
		}
		return nil
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		// Each node knows only those that are connected to it.
		err := cluster.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error { return add(ctx, node) })
		return sum, err
	}
	err := add(ctx, client)
	return sum, err
}

// ChannelNode is where to publish a batch for channel: a cluster client would
// spread the batch over its nodes, which loses the order.
func ChannelNode(ctx context.Context, client redis.UniversalClient, channel string) (redis.Cmdable, error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return client, nil
	}
	node, err := cluster.MasterForKey(ctx, channel)
	if err != nil {
		return nil, fmt.Errorf("find the cluster's node for %s: %w", channel, err)
	}
	return node, nil
}
