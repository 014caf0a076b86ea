package bridge

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// dials watches the connections of a client, which go-redis replaces by itself.
type dials struct {
	// changes counts connections made and ended. As long as it stays, no reply
	// was lost.
	changes atomic.Int64
	// latest is the last connection made; nil where it does not read ahead.
	latest atomic.Pointer[readAhead]
}

var _ redis.Hook = (*dials)(nil)

// watchDials begins to watch; client must not be in use yet.
func watchDials(client redis.UniversalClient) *dials {
	d := &dials{}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		// A cluster's nodes are clients of their own, and they dial.
		cluster.OnNewNode(func(node *redis.Client) { node.AddHook(d) })
	} else {
		client.AddHook(d)
	}
	return d
}

// DialHook counts.
func (d *dials) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ahead, _ := conn.(*readAhead)
		d.latest.Store(ahead)
		d.changes.Add(1)
		return &dialed{Conn: conn, ended: &d.changes}, nil
	}
}

// ProcessHook changes nothing.
func (d *dials) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (d *dials) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// dialed is a connection whose end is counted.
type dialed struct {
	net.Conn
	once  sync.Once
	ended *atomic.Int64
}

func (c *dialed) Close() error {
	c.once.Do(func() { c.ended.Add(1) })
	return c.Conn.Close()
}
