// Package rig runs the whole of tickstream on this machine as processes that
// can be killed, stopped, stalled and cut off.
package rig

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Process is one that can be started again and again.
type Process struct {
	// Name is its role and number, as in "bridge 1".
	Name string
	path string
	args []string
	env  []string
	log  *os.File
	out  *os.File // nil: the log
	died func(name string, err error)
	// prepare and stop are other than usual where they are set.
	prepare func(*exec.Cmd)
	stop    func(*os.Process) error
	// stubborn ones are started again when they end at once by themselves, as
	// while what was killed still holds something.
	stubborn bool

	mu       sync.Mutex
	cmd      *exec.Cmd
	ended    chan struct{} // closed once cmd is gone
	err      error         // how it went
	expected bool
	born     time.Time
}

// Start starts it, unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		select {
		case <-p.ended:
		default:
			return nil
		}
	}
	cmd := exec.Command(p.path, p.args...) //nolint:gosec,noctx // our own binary or a server's, ended by Kill
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, cmp.Or(p.out, p.log), p.log
	if p.prepare != nil {
		p.prepare(cmd)
	}
	setApart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	_, _ = fmt.Fprintf(p.log, "--- started %s, pid %d, %s\n", p.Name, cmd.Process.Pid, time.Now().UTC().Format(time.RFC3339Nano))
	p.cmd, p.ended, p.expected, p.born = cmd, make(chan struct{}), false, time.Now()
	go p.wait(cmd, p.ended) // ends with the process
	return nil
}

// startTime is how long a start may take.
const startTime = 2 * time.Second

func (p *Process) wait(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	p.err = err
	expected, age := p.expected, time.Since(p.born)
	p.mu.Unlock()
	close(ended)
	if !expected && p.stubborn && age < startTime {
		time.Sleep(startTime / 20)
		if err = p.Start(); err == nil {
			return
		}
	}
	if !expected {
		if err == nil {
			err = errors.New("exit code 0")
		}
		p.died(p.Name, err)
	}
}

// PID is that of the process that was started last; 0 before.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Born is when it was started last.
func (p *Process) Born() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.born
}

func (p *Process) goingAway() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = true
	return p.cmd, p.ended
}

// Kill ends it at once, as kill -9 does, and waits until it is gone.
func (p *Process) Kill() error {
	cmd, ended := p.goingAway()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	<-ended
	return nil
}

// Stop asks it to end with SIGTERM and waits. It is an error where it does not
// end in time, or with another exit code than 0.
func (p *Process) Stop(timeout time.Duration) error {
	cmd, ended := p.goingAway()
	if cmd == nil {
		return nil
	}
	stop := terminate
	if p.stop != nil {
		stop = p.stop
	}
	if err := stop(cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	select {
	case <-ended:
	case <-time.After(timeout):
		_ = p.Kill() // what it would have done is known
		return fmt.Errorf("%s has not ended %v after SIGTERM", p.Name, timeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("%s ended after SIGTERM: %w", p.Name, p.err)
	}
	return nil
}

// Stall keeps it from running, as a long pause of its machine does.
func (p *Process) Stall() error { return p.signal("stall", stall) }

// Resume ends a stall.
func (p *Process) Resume() error { return p.signal("resume", resume) }

func (p *Process) signal(what string, send func(*os.Process) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	if err := send(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s %s: %w", what, p.Name, err)
	}
	return nil
}

// environment is this process's without the settings of tickstream.
func environment() []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch {
		case strings.HasPrefix(name, "TICKSTREAM_TEST_"):
		case strings.HasPrefix(name, "TICKSTREAM_"), name == "NATS_URL", name == "REDIS_URL", name == "DATABASE_URL":
			continue
		}
		env = append(env, variable)
	}
	return append(env, "NO_COLOR=1")
}
