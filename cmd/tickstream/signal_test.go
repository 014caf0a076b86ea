package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

// mainEnv makes the test binary be tickstream itself.
const mainEnv = "TICKSTREAM_TEST_BE_MAIN"

// silentRedis takes connections and never answers; accepted gets one for each.
func silentRedis(t *testing.T) (url string, accepted <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	taken := make(chan struct{}, 100)
	go func() { // ends when the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			taken <- struct{}{}
		}
	}()
	return "redis://" + listener.Addr().String(), taken
}

// A log must tell who ended a process.
func TestTheSignalThatEndsAProcessIsLogged(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			s := startTestServers(t)
			var stderr output
			process := exec.CommandContext(t.Context(), os.Args[0], "pipeline", "--nats", s.nats.URL())
			process.Env, process.Stderr = append(os.Environ(), mainEnv+"=1"), &stderr
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			testbed.Eventually(t, 20*time.Second, "that it runs", func(context.Context) bool {
				return strings.Contains(stderr.String(), "connected to NATS")
			})
			if err := process.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := process.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			if log := stderr.String(); !strings.Contains(log, "signal: "+signal.String()) {
				t.Errorf("the log does not name the signal: %s", log)
			}
		})
	}
}

// A batch that Redis does not answer is waited for; a second Ctrl-C does not.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	url, accepted := silentRedis(t)
	var stderr bytes.Buffer
	process := exec.CommandContext(t.Context(), os.Args[0], "sim", "--redis", url)
	process.Env, process.Stderr = append(os.Environ(), mainEnv+"=1"), &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case <-accepted:
	case err := <-ended:
		t.Fatalf("it has ended: %v: %s", err, &stderr)
	case <-time.After(20 * time.Second):
		t.Fatal("it does not connect")
	}
	// The system merges equal signals that come at once, so send them on.
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(3 * time.Second) // the batch alone would take 5 s
	for {
		select {
		case <-ended:
			if code := process.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d, want %d: %s", code, exitInterrupted, &stderr)
			}
			return
		case <-ticker.C:
			if err := process.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		case <-deadline:
			_ = process.Process.Kill()
			t.Fatal("it still runs after many interrupts")
		}
	}
}
