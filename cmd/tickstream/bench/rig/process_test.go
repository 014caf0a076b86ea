//go:build unix

package rig

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

func shell(t *testing.T, script string) (*Process, chan string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	died := make(chan string, 8)
	p := &Process{Name: "shell", path: "/bin/sh", args: []string{"-c", script}, log: log, died: func(_ string, err error) { died <- err.Error() }}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		_ = log.Close()
	})
	return p, died
}

func start(t *testing.T, p *Process) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesEndAsAsked(t *testing.T) {
	p, died := shell(t, "exec sleep 1000")
	for range 3 {
		start(t, p)
		pid := p.PID()
		start(t, p) // it runs
		if p.PID() != pid {
			t.Error("started twice")
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	start(t, p)
	if err := p.Stop(10 * time.Second); err == nil || !strings.Contains(err.Error(), "shell ended after SIGTERM: signal: terminated") {
		t.Errorf("Stop = %v", err)
	}
	if len(died) > 0 {
		t.Errorf("died: %v", <-died)
	}
}

func TestAnUncleanStopIsAnError(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	p, _ := shell(t, "trap '' TERM; : >"+ready+"; while :; do sleep 0.05; done")
	start(t, p)
	testbed.Eventually(t, 20*time.Second, "the trap is set", func(context.Context) bool { _, err := os.Stat(ready); return err == nil })
	if err := p.Stop(200 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "has not ended 200ms after SIGTERM") {
		t.Errorf("Stop = %v", err)
	}
}

func TestAProcessThatEndsByItselfIsTold(t *testing.T) {
	p, died := shell(t, "exit 3")
	start(t, p)
	select {
	case err := <-died:
		if err != "exit status 3" {
			t.Errorf("died: %s", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not told")
	}
}

func TestAStallIsOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "count")
	p, _ := shell(t, "while :; do echo x >>"+file+"; sleep 0.01; done")
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	start(t, p)
	grows := func() {
		t.Helper()
		before := size()
		testbed.Eventually(t, 20*time.Second, "it runs", func(context.Context) bool { return size() > before })
	}
	grows()
	if err := p.Stall(); err != nil {
		t.Fatal(err)
	}
	var before int64
	testbed.Eventually(t, 20*time.Second, "it stands still", func(context.Context) bool {
		before = size()
		<-time.After(200 * time.Millisecond) // twenty rounds of the loop
		return size() == before
	})
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	grows()
}
