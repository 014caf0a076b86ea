//go:build !unix

package rig

import (
	"errors"
	"os"
	"os/exec"
)

var errNoSignals = errors.New("this system has no such signal: run the benchmark on Linux or macOS")

func terminate(*os.Process) error { return errNoSignals }
func stall(*os.Process) error     { return errNoSignals }
func resume(*os.Process) error    { return errNoSignals }
func setApart(*exec.Cmd)          {}
