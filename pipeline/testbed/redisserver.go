package testbed

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// StartRedisServer runs a redis-server of the test's own, with these lines of
// configuration and {port} and {dir} in them replaced, and returns its port. It
// is false where [RedisEnv] is not set: the machine has no Redis then.
func StartRedisServer(tb testing.TB, configuration string) (port string, ok bool) {
	tb.Helper()
	if os.Getenv(RedisEnv) == "" {
		return "", false
	}
	port = freePort(tb)
	configuration = "bind 127.0.0.1\nsave \"\"\n" + strings.NewReplacer("{port}", port, "{dir}", tb.TempDir()).Replace(configuration)
	// A context of its own: it is killed at the end, after what uses it.
	ctx, kill := context.WithCancel(context.Background())
	var output strings.Builder
	server := exec.CommandContext(ctx, "redis-server", "-")
	server.Stdin, server.Stdout, server.Stderr = strings.NewReader(configuration), &output, &output
	if err := server.Start(); err != nil {
		kill()
		tb.Fatalf("start redis-server, which %s promises: %v", RedisEnv, err)
	}
	ended := make(chan struct{})
	go func() { // ends with the server
		_ = server.Wait() // it is killed
		close(ended)
	}()
	tb.Cleanup(func() { kill(); <-ended })
	Eventually(tb, 10*time.Second, "redis-server listens", func(ctx context.Context) bool {
		select {
		case <-ended:
			tb.Fatalf("redis-server ended:\n%s", output.String())
		default:
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close() // it was only to see whether one is taken
		}
		return err == nil
	})
	return port, true
}

func freePort(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = listener.Close() }() // the port is what was wanted
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		tb.Fatal(fmt.Errorf("read the port: %w", err))
	}
	return port
}
