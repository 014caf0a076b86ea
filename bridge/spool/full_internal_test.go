//go:build linux

package spool

import (
	"errors"
	"os"
	"testing"
)

// A disk without room, as the system itself plays it.
func TestFullDiskIsNamed(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &segment{file: file}
	defer func() { _ = s.close() }()
	if err := s.append(appendRecord(nil, Record{Data: []byte("x")}), Counts{1}); !errors.Is(err, ErrFull) {
		t.Errorf("append = %v", err)
	}
	if s.size != 0 || s.held != (Counts{}) {
		t.Errorf("after it: %d bytes, %v", s.size, s.held)
	}
}
