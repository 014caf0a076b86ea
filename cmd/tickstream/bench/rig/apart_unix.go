//go:build unix && !linux

package rig

import (
	"os/exec"
	"syscall"
)

// setApart keeps a terminal's Ctrl-C from the process: who runs the rig ends it.
func setApart(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}
