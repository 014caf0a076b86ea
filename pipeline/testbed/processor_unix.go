//go:build unix

package testbed

import (
	"syscall"
	"time"
)

// Processor is the time that this process has had of the processors: what other
// work on the machine disturbs less than the clock's.
func Processor() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // of oneself it never fails
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
