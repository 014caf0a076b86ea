package rig

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Command is what a process of its own runs.
type Command struct {
	// Name is its role and number, as in "bridge 1".
	Name string
	Path string
	Args []string
	// Log takes standard error, and standard output too unless Output is given.
	Log, Output *os.File
	// Died is told where it ends by itself; nil for nobody.
	Died func(name string, err error)
}

// NewProcess makes one and starts nothing.
func NewProcess(c Command) *Process {
	if c.Died == nil {
		c.Died = func(string, error) {}
	}
	return &Process{Name: c.Name, path: c.Path, args: c.Args, env: environment(), log: c.Log, out: c.Output, died: c.Died}
}

// Wait waits until it has ended by itself, and returns an error where it ended
// with another exit code than 0.
func (p *Process) Wait(ctx context.Context) error {
	_, ended := p.goingAway()
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", p.Name, context.Cause(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.Name, p.err)
	}
	return nil
}

// CPU is how much processor time it has used since it was started last.
func (p *Process) CPU() (time.Duration, error) {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	if cmd == nil {
		return 0, nil
	}
	select {
	case <-ended:
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
	default:
	}
	of, err := process.NewProcess(int32(p.PID())) //nolint:gosec // process ids fit
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", p.Name, err)
	}
	times, err := of.Times()
	if err != nil {
		return 0, fmt.Errorf("measure %s: %w", p.Name, err)
	}
	return time.Duration((times.User + times.System) * float64(time.Second)), nil
}
