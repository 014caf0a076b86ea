package main

import (
	"net"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// Three servers with the configuration of deploy, of which the leader of TICKS
// is killed under load, and then each of the others.
func TestClusterOutlivesEachNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, [3]string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, "2m")
	c.start(directly)
	r := c.run()
	js := c.jetStream()
	r.flows(js, "with three nodes")
	c.everywhere(js)
	killed := map[*node]bool{}
	for range c.nodes {
		victim := c.leader(js, stream.Ticks)
		role := "the leader of TICKS"
		for _, n := range c.nodes {
			if killed[victim] && !killed[n] {
				victim, role = n, "another node"
			}
		}
		killed[victim] = true
		victim.kill()
		r.flows(js, "without "+victim.name+", "+role)
		victim.start()
		c.everywhere(js)
	}
	r.check(js)
}

// A node that the others no longer reach is done without, though the bridge or
// a pipeline may be connected to it; when it is back it has what it missed.
func TestClusterOutlivesANodeCutOff(t *testing.T) {
	t.Parallel()
	c := newCluster(t, [3]string{"127.0.0.1", "127.0.0.1", "127.0.0.1"}, "2m")
	type way struct{ from, to *node }
	ways := map[way]*testbed.Proxy{}
	c.start(func(from, to *node) string {
		// Nobody learns of another way but the routes that are given.
		from.setting.AdvertiseForCluster = net.JoinHostPort("127.0.0.1", "1")
		proxy := testbed.StartProxy(t, directly(from, to))
		ways[way{from, to}] = proxy
		return proxy.Addr()
	})
	r := c.run()
	js := c.jetStream()
	r.flows(js, "with three nodes")
	c.everywhere(js)
	victim := c.leader(js, stream.Ticks)
	rest := c.jetStream(victim)
	began := time.Now()
	for w, proxy := range ways {
		if w.from == victim || w.to == victim {
			proxy.Cut()
		}
	}
	r.flows(rest, "with "+victim.name+" cut off")
	for w, proxy := range ways {
		if w.from == victim || w.to == victim {
			proxy.Restore()
		}
	}
	t.Logf("%s was cut off for %v", victim.name, time.Since(began).Round(10*time.Millisecond))
	c.everywhere(rest)
	r.flows(rest, "with three nodes again")
	r.check(rest)
}
