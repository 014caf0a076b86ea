//go:build unix

package rig

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
func interrupt(p *os.Process) error { return p.Signal(syscall.SIGINT) }
func stall(p *os.Process) error     { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error    { return p.Signal(syscall.SIGCONT) }

// notRoot has root run a process as the user of that name, and gives it the
// folder; parent it may then pass through. Anybody else runs it himself.
func notRoot(name, parent, folder string) (func(*exec.Cmd), error) {
	if os.Geteuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("find the user to run as: %w", err)
	}
	uid, _ := strconv.ParseUint(who.Uid, 10, 32) // numbers on every Unix
	gid, _ := strconv.ParseUint(who.Gid, 10, 32)
	if err := os.Chmod(parent, 0o711); err != nil { //nolint:gosec // it must be passed through
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil { //nolint:gosec // read as 32 bits
		return nil, fmt.Errorf("give the folder away: %w", err)
	}
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}, nil
}
