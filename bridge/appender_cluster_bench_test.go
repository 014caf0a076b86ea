package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// BenchmarkAppendSynced stores as BenchmarkAppend does, on one node and on three
// copies, with fsync now and then and before each acknowledgement.
func BenchmarkAppendSynced(b *testing.B) {
	for _, copies := range []int{1, 3} {
		for _, always := range []bool{false, true} {
			durability, sync := ProcessSafe, "2m"
			if always {
				durability, sync = PowerSafe, "always"
			}
			b.Run(fmt.Sprintf("copies=%d/sync_interval=%s/%s", copies, sync, durability), func(b *testing.B) {
				js := benchServers(b, copies, always)
				log := slog.New(slog.DiscardHandler)
				if _, err := stream.Await(b.Context(), js, stream.Config{Replicas: copies}, log); err != nil {
					b.Fatal(err)
				}
				appendMany(b, js, durability)
			})
		}
	}
}

// benchServers are as many servers, each with a store of its own.
func benchServers(b testing.TB, count int, syncAlways bool) jetstream.JetStream {
	b.Helper()
	var first *server.Server
	for i := range count {
		opts := &server.Options{
			ServerName: fmt.Sprintf("nats-%d", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT,
			JetStream: true, StoreDir: b.TempDir(), SyncAlways: syncAlways, NoSigs: true, NoLog: true,
		}
		if count > 1 {
			opts.JetStreamMaxStore = 64 << 30 // as much as the streams reserve
			opts.Cluster = server.ClusterOpts{Name: "bench", Host: "127.0.0.1", Port: server.RANDOM_PORT}
			opts.Routes = []*url.URL{{Scheme: "nats", Host: "127.0.0.1:1"}} // nobody: the first is found by the others
			if first != nil {
				opts.Routes = []*url.URL{{Scheme: "nats", Host: first.ClusterAddr().String()}}
			}
		}
		s, err := server.NewServer(opts)
		if err != nil {
			b.Fatal(err)
		}
		s.Start()
		b.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if first == nil {
			first = s
			if count > 1 { // the others' route needs its port
				testbed.Eventually(b, 10*time.Second, "the first listens for routes", func(context.Context) bool { return first.ClusterAddr() != nil })
			}
		}
	}
	if !first.ReadyForConnections(30 * time.Second) {
		b.Fatal("the servers are not ready after 30s")
	}
	nc, err := nats.Connect(first.ClientURL(), nats.MaxReconnects(-1))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	return js
}
