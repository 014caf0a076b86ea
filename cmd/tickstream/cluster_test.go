package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/certificate"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// nodeEnv makes the test binary be a node of a cluster: a [nodeSetting].
const nodeEnv = "TICKSTREAM_TEST_BE_NATS_NODE"

// clusterConf is what the nodes run with.
const clusterConf = "../../deploy/cluster/nats.conf"

// nodeSetting is what a test must have otherwise than clusterConf.
type nodeSetting struct {
	Host                string
	Port, ClusterPort   int
	Store, Log          string
	AdvertiseForCluster string
}

// beNode runs a node until it is killed.
func beNode(setting string) {
	if err := runNode(setting); err != nil {
		slog.Error("be a node", "err", err)
		os.Exit(1)
	}
}

func runNode(setting string) error {
	var s nodeSetting
	if err := json.Unmarshal([]byte(setting), &s); err != nil {
		return fmt.Errorf("read the setting: %w", err)
	}
	opts, err := server.ProcessConfigFile(clusterConf)
	if err != nil {
		return fmt.Errorf("read %s: %w", clusterConf, err)
	}
	opts.Host, opts.Port, opts.HTTPPort = s.Host, s.Port, 0
	opts.Cluster.Host, opts.Cluster.Port, opts.Cluster.Advertise = s.Host, s.ClusterPort, s.AdvertiseForCluster
	opts.StoreDir, opts.LogFile, opts.NoSigs = s.Store, s.Log, true
	n, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	n.ConfigureLogger()
	n.Start()
	n.WaitForShutdown()
	return nil
}

// node is one server of a cluster, which can be killed and started again.
type node struct {
	t       *testing.T
	name    string
	setting nodeSetting
	env     []string
	wrap    []string // what its command line begins with
	process *exec.Cmd
}

func (n *node) start() {
	n.t.Helper()
	setting, err := json.Marshal(n.setting)
	if err != nil {
		n.t.Fatal(err)
	}
	line := append(append([]string{}, n.wrap...), os.Args[0])
	n.process = exec.Command(line[0], line[1:]...) //nolint:noctx // killed by kill, after the test's context has ended
	n.process.Env = append(append(os.Environ(), n.env...), nodeEnv+"="+string(setting))
	if err := n.process.Start(); err != nil {
		n.t.Fatalf("start %s: %v", n.name, err)
	}
}

func (n *node) kill() {
	if n.process == nil {
		return
	}
	_ = n.process.Process.Kill()
	_ = n.process.Wait()
	n.process = nil
}

func (n *node) address() string {
	return net.JoinHostPort(n.setting.Host, strconv.Itoa(n.setting.Port))
}

// cluster is three nodes with the configuration of deploy.
type cluster struct {
	t     *testing.T
	nodes []*node
}

const clusterSecret = "20251007" // looks like a number, as a password may

// newCluster makes three nodes, at a host each or all at one; nothing is started.
func newCluster(t *testing.T, hosts [3]string, syncInterval string) *cluster {
	t.Helper()
	dir := t.TempDir()
	var named []certificate.Node
	for i, host := range hosts {
		named = append(named, certificate.Node{Name: "nats-" + strconv.Itoa(i+1), Hosts: []string{host}})
	}
	if err := certificate.Make(filepath.Join(dir, "certificates"), named, time.Hour); err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t}
	for i, host := range hosts {
		n := &node{t: t, name: named[i].Name, setting: nodeSetting{
			Host: host, Port: freePort(t), ClusterPort: freePort(t),
			Store: filepath.Join(dir, named[i].Name), Log: filepath.Join(dir, named[i].Name+".log"),
		}}
		t.Cleanup(n.kill)
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		quoted := func(name, value string) string { return name + "=" + strconv.Quote(value) }
		file := func(name string) string { return filepath.Join(dir, "certificates", name) }
		n.env = []string{
			quoted("NATS_SERVER_NAME", n.name), quoted("NATS_SYNC_INTERVAL", syncInterval),
			quoted("NATS_CLUSTER_CA", file(certificate.AuthorityFile)),
			quoted("NATS_CLUSTER_CERT", file(certificate.CertificateFile(n.name))),
			quoted("NATS_CLUSTER_KEY", file(certificate.KeyFile(n.name))),
		}
		for _, user := range []string{"BRIDGE", "PIPELINE", "HEALTH", "OPERATOR", "OBSERVER"} {
			n.env = append(n.env, quoted("NATS_"+user+"_PASSWORD", clusterSecret))
		}
	}
	return c
}

// start lets each node reach the others where route says, and starts all.
func (c *cluster) start(route func(from, to *node) string) {
	for _, from := range c.nodes {
		var routes []string
		for _, to := range c.nodes {
			if to != from {
				routes = append(routes, strconv.Quote("nats://"+route(from, to)))
			}
		}
		from.env = append(from.env, "NATS_ROUTES=["+strings.Join(routes, ", ")+"]")
		from.start()
	}
	c.t.Cleanup(func() {
		if !c.t.Failed() {
			return
		}
		for _, n := range c.nodes {
			log, _ := os.ReadFile(n.setting.Log)
			var said []string
			for line := range strings.Lines(string(log)) {
				if !strings.Contains(line, "rying to connect to route") {
					said = append(said, line)
				}
			}
			c.t.Logf("the last that %s said:\n%s", n.name, strings.Join(said[max(0, len(said)-60):], ""))
		}
	})
}

// directly is where a node listens.
func directly(_, to *node) string {
	return net.JoinHostPort(to.setting.Host, strconv.Itoa(to.setting.ClusterPort))
}

// urls of the nodes for a user, without some.
func (c *cluster) urls(user string, without ...*node) string {
	var urls []string
	for _, n := range c.nodes {
		left := false
		for _, w := range without {
			left = left || n == w
		}
		if !left {
			urls = append(urls, "nats://"+user+":"+clusterSecret+"@"+n.address())
		}
	}
	return strings.Join(urls, ",")
}

// jetStream is the operator's view from the nodes but for some.
func (c *cluster) jetStream(without ...*node) jetstream.JetStream {
	c.t.Helper()
	nc, err := nats.Connect(c.urls("operator", without...), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50*time.Millisecond), nats.IgnoreDiscoveredServers())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	return js
}

// named is the node of that name.
func (c *cluster) named(name string) *node {
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	c.t.Fatalf("no node is called %q", name)
	return nil
}

// leader of a stream, as the nodes but for some have it.
func (c *cluster) leader(js jetstream.JetStream, name string) *node {
	c.t.Helper()
	var leader string
	testbed.Eventually(c.t, 60*time.Second, name+" has a leader", func(ctx context.Context) bool {
		info := lookAt(ctx, js, name)
		if info == nil || info.Cluster == nil {
			return false
		}
		leader = info.Cluster.Leader
		return leader != ""
	})
	return c.named(leader)
}

// lookAt is nil where nobody answers within a second.
func lookAt(ctx context.Context, js jetstream.JetStream, name string) *jetstream.StreamInfo {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil
	}
	return s.CachedInfo()
}

// everywhere waits until each stream and bucket has three copies that are
// current.
func (c *cluster) everywhere(js jetstream.JetStream) {
	c.t.Helper()
	names := []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects}
	for _, bucket := range []string{stream.HealthBucket, stream.ComponentsBucket, stream.LeasesBucket, stream.CheckpointsBucket} {
		names = append(names, "KV_"+bucket)
	}
	for _, name := range names {
		testbed.Eventually(c.t, 60*time.Second, "three current copies of "+name, func(ctx context.Context) bool {
			info := lookAt(ctx, js, name)
			if info == nil || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
				return false
			}
			for _, replica := range info.Cluster.Replicas {
				if !replica.Current || replica.Offline {
					return false
				}
			}
			return true
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // it served nobody
	return listener.Addr().(*net.TCPAddr).Port
}
