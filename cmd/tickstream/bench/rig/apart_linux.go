package rig

import (
	"os/exec"
	"syscall"
)

// setApart keeps a terminal's Ctrl-C from the process: who runs the rig ends it,
// and where that one is killed it ends too.
func setApart(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
}
