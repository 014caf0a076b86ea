// Package spool keeps records in order on disk, in segments, until they are
// consumed: a queue that outlives the process.
//
// Each record carries a CRC-32C. What a crash tore off at the end was never
// acknowledged by [Spool.Append] and is cut away on opening; what is damaged
// before it is stepped over and counted.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// ErrFull is returned by [Spool.Append] where the records would not fit the
// bound, or the disk has no room.
var ErrFull = errors.New("no room in the spool")

// ErrInUse is returned by [Open] for a folder that another process spools to.
var ErrInUse = errors.New("folder is used by another process")

// Config of a spool.
type Config struct {
	// Dir is the folder, made where it is missing. Required.
	Dir string
	// MaxBytes bounds the segments together. Defaults to 8 GiB.
	MaxBytes int64
	// SegmentBytes is the size beyond which a segment is followed by a new one;
	// the disk gets room back by whole segments. Defaults to 64 MiB, and to a
	// sixteenth of MaxBytes where that is less.
	SegmentBytes int64
	// Visit, where set, is given each record that waits, in order, when the spool
	// is opened; its Data is not to be kept.
	Visit func(Record)
	// SyncInterval is how long a record may wait to be written through to the
	// disk; less than zero for each Append. What a process wrote outlives the
	// process in any case: this is about power. Defaults to 1 s.
	SyncInterval time.Duration
	// OpenFile opens the files of the folder. Defaults to that of package os.
	OpenFile func(name string, flag int, perm os.FileMode) (File, error)
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 30
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = min(64<<20, c.MaxBytes/16)
	}
	if c.SyncInterval == 0 {
		c.SyncInterval = time.Second
	}
	if c.OpenFile == nil {
		c.OpenFile = openFile
	}
	return c
}

// Record is one entry. Kind is the caller's; losses are counted by it.
type Record struct {
	Kind Kind
	Data []byte
}

// Kind tells records apart, below [Kinds].
type Kind uint8

// Kinds is how many kinds there can be.
const Kinds = 4

// Counts are records by kind.
type Counts [Kinds]int64

func (c *Counts) add(other Counts) {
	for kind := range c {
		c[kind] += other[kind]
	}
}

func (c *Counts) subtract(other Counts) {
	for kind := range c {
		c[kind] -= other[kind]
	}
}

// Recovery is what [Open] found.
type Recovery struct {
	// Records that wait.
	Records Counts
	// TornBytes were cut from the end: a record that a crash left half written.
	TornBytes int64
	// DamagedBytes could not be read before the end, and are lost.
	DamagedBytes int64
	// Meta is what the last Consume was given; nil if there was none.
	Meta []byte
}

// Spool is a queue on disk. All methods may be called from any goroutine;
// reading and consuming is for one at a time.
type Spool struct {
	cfg  Config
	lock *flock.Flock

	mu       sync.Mutex
	segments []*segment // oldest first; the last is written to
	waiting  Counts     // of all segments
	bytes    int64      // of all segments
	reading  cursor
	passed   []passed // read and not consumed, in order
	consumed cursor
	position *position
	lost     Counts
	made     bool      // a segment whose entry in the folder is not written through
	dirtyAt  time.Time // when the oldest record that is not written through was; zero if none
}

// cursor is a place between two records.
type cursor struct {
	segment uint64
	offset  int64
}

// Open opens the spool in a folder and takes the folder for this process. The
// caller must Close it.
func Open(cfg Config) (s *Spool, found Recovery, err error) {
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, found, fmt.Errorf("make the spool folder: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, found, fmt.Errorf("lock the spool folder: %w", err)
	}
	if !locked {
		return nil, found, fmt.Errorf("spool %s: %w", cfg.Dir, ErrInUse)
	}
	s = &Spool{cfg: cfg, lock: lock}
	if found, err = s.recover(); err != nil {
		return nil, found, errors.Join(err, s.Close())
	}
	return s, found, nil
}

// Close writes through what is not yet, and gives the folder free.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.sync()
	for _, segment := range s.segments {
		err = errors.Join(err, segment.close())
	}
	s.segments = nil
	if s.position != nil {
		err = errors.Join(err, s.position.close())
	}
	return errors.Join(err, s.lock.Close())
}

// Append adds records at the end, all or none. Once it has returned they
// outlive the process. The error is [ErrFull] where room would help.
func (s *Spool) Append(records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var block []byte
	var counts Counts
	for _, r := range records {
		block = appendRecord(block, r)
		counts[r.Kind]++
	}
	if s.bytes+int64(len(block)) > s.cfg.MaxBytes {
		return fmt.Errorf("%d bytes of %d used: %w", s.bytes, s.cfg.MaxBytes, ErrFull)
	}
	last, err := s.writable()
	if err != nil {
		return err
	}
	if err := last.append(block, counts); err != nil {
		return err
	}
	s.bytes += int64(len(block))
	s.waiting.add(counts)
	if s.dirtyAt.IsZero() {
		s.dirtyAt = time.Now()
	}
	if s.cfg.SyncInterval >= 0 {
		return nil
	}
	if err := s.sync(); err != nil {
		s.bytes -= int64(len(block))
		s.waiting.subtract(counts)
		return errors.Join(full(err), last.undo(block, counts))
	}
	return nil
}

// Sync writes through what has waited for the sync interval; a caller must call
// it now and then.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dirtyAt.IsZero() || time.Since(s.dirtyAt) < s.cfg.SyncInterval {
		return nil
	}
	return s.sync()
}

func (s *Spool) sync() error {
	if s.dirtyAt.IsZero() || len(s.segments) == 0 {
		return nil
	}
	if err := s.segments[len(s.segments)-1].file.Sync(); err != nil {
		return fmt.Errorf("write the spool through: %w", err)
	}
	if s.made {
		if err := syncFolder(s.cfg.Dir); err != nil {
			return fmt.Errorf("write the spool's folder through: %w", err)
		}
		s.made = false
	}
	s.dirtyAt = time.Time{}
	return nil
}

// writable is the segment to append to.
func (s *Spool) writable() (*segment, error) {
	next := uint64(1)
	if n := len(s.segments); n > 0 {
		last := s.segments[n-1]
		if last.size < s.cfg.SegmentBytes {
			return last, nil
		}
		if err := s.sync(); err != nil {
			return nil, err
		}
		next = last.number + 1
	} else if s.consumed.segment >= next {
		next = s.consumed.segment + 1
	}
	made, err := createSegment(s.cfg, next)
	if err != nil {
		return nil, err
	}
	s.segments, s.made = append(s.segments, made), true
	return made, nil
}

// Lost are the records that were found unreadable since the spool was opened, and
// stepped over.
func (s *Spool) Lost() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// MaxBytes is the bound of [Spool.Bytes].
func (s *Spool) MaxBytes() int64 { return s.cfg.MaxBytes }

// Waiting are the records that are not consumed.
func (s *Spool) Waiting() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting
}

// Bytes is what the segments take on disk.
func (s *Spool) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}
