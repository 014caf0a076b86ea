package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// natsEnv makes the test binary be a NATS server: "port folder".
const natsEnv = "TICKSTREAM_TEST_BE_NATS"

// beNATS runs a server until it is killed.
func beNATS(setting string) {
	port, folder, _ := strings.Cut(setting, " ")
	n, err := strconv.Atoi(port)
	if err != nil {
		slog.Error("be nats", "err", err)
		os.Exit(1)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true})
	if err != nil {
		slog.Error("be nats", "err", err)
		os.Exit(1)
	}
	s.Start()
	s.WaitForShutdown()
}

// natsProcess is a NATS server that can be killed and started again.
type natsProcess struct {
	t       *testing.T
	setting string
	url     string
	process *exec.Cmd
}

func startNATSProcess(t *testing.T) *natsProcess {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	n := &natsProcess{t: t, setting: port + " " + t.TempDir(), url: "nats://" + address}
	n.start()
	t.Cleanup(n.kill)
	return n
}

func (n *natsProcess) start() {
	n.process = exec.Command(os.Args[0]) //nolint:noctx // killed by kill, after the test's context has ended
	n.process.Env = append(os.Environ(), natsEnv+"="+n.setting)
	if err := n.process.Start(); err != nil {
		n.t.Errorf("start nats: %v", err)
	}
}

func (n *natsProcess) kill() {
	_ = n.process.Process.Kill()
	_ = n.process.Wait()
}

// NATS and the database are killed and cut off in turn, and pipelines with
// them: what is published and what is stored is what a plain recomputation gives.
func TestKilledServersLeaveNoTrace(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, seed))
	server := startNATSProcess(t)
	nc, err := nats.Connect(server.url, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Await(t.Context(), js, stream.Config{Partitions: crashPartitions}, quiet); err != nil {
		t.Fatal(err)
	}
	p := &pipelines{t: t, url: server.url}
	var database *testbed.Database
	var proxy *testbed.Proxy
	if os.Getenv(testbed.DatabaseEnv) != "" {
		database = testbed.StartDatabase(t)
		proxy = testbed.StartProxy(t, database.Address)
		p.args = []string{"--database", database.Through(proxy.Addr())}
	}
	defer p.stop()
	p.start()
	p.start()
	traffic := oracle.Traffic(random, 6000)
	published := make(chan error, 1)
	go func() {
		published <- oracle.Publish(t.Context(), js, crashPartitions, traffic, 20*time.Millisecond)
	}() // received below
	faults := 0
	for done := false; !done || faults < 9; faults++ {
		select {
		case err := <-published:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		case <-time.After(time.Duration(500+random.IntN(1000)) * time.Millisecond): // how long all is well
		}
		switch faults % 3 {
		case 0:
			server.kill()
			<-time.After(time.Duration(random.IntN(700)) * time.Millisecond) // how long it is away
			server.start()
		case 1:
			if proxy != nil {
				proxy.Cut()
				time.AfterFunc(time.Duration(random.IntN(700))*time.Millisecond, proxy.Restore)
			}
		case 2:
			p.crash(random.IntN(2))
		}
	}
	got := checkPublished(t, js)
	if database != nil {
		checkStored(t, database, got)
	}
}

// checkStored waits until all that is published is in the database.
func checkStored(t *testing.T, d *testbed.Database, got *oracle.Published) {
	t.Helper()
	want, err := got.Rows()
	if err != nil {
		t.Fatal(err)
	}
	differing := "nothing was read"
	defer func() {
		if t.Failed() {
			t.Logf("of %d rows expected: %s", len(want), differing)
		}
	}()
	testbed.Eventually(t, 60*time.Second, "the tables are as published", func(ctx context.Context) bool {
		stored, err := oracle.ReadRows(ctx, d.Pool)
		if err != nil {
			differing = err.Error()
			return false
		}
		_, differing = oracle.CompareRows(want, stored)
		return differing == ""
	})
	t.Logf("%d rows are as published", len(want))
}
