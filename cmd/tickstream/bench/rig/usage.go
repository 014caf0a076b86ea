package rig

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/shirou/gopsutil/v4/process"
)

// Usage is what a process holds.
type Usage struct {
	RSS         uint64 `json:"rss_bytes"`
	Descriptors int    `json:"file_descriptors"`
}

// Measure asks the operating system.
func (p *Process) Measure() (Usage, error) {
	of, err := process.NewProcess(int32(p.PID())) //nolint:gosec // process ids fit
	if err != nil {
		return Usage{}, fmt.Errorf("measure %s: %w", p.Name, err)
	}
	memory, err := of.MemoryInfo()
	if err != nil {
		return Usage{}, fmt.Errorf("measure %s: %w", p.Name, err)
	}
	descriptors, err := of.NumFDs()
	if err != nil {
		return Usage{}, fmt.Errorf("measure %s: %w", p.Name, err)
	}
	return Usage{RSS: memory.RSS, Descriptors: int(descriptors)}, nil
}

// DiskBytes is what the files below a folder hold; those that go away meanwhile
// do not count.
func DiskBytes(folder string) int64 {
	var total int64
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
