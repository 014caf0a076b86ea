package spool_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tickstock/tickstream/bridge/spool"
)

// disk opens real files, and fails as it is told to.
type disk struct {
	room      atomic.Int64 // bytes that segments may still take; below zero without bound
	failSync  atomic.Bool
	failRead  atomic.Bool
	failPlace atomic.Bool // writing the position
}

func newDisk() *disk {
	d := &disk{}
	d.room.Store(-1)
	return d
}

func (d *disk) open(name string, flag int, perm os.FileMode) (spool.File, error) {
	file, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faulty{File: file, disk: d, place: strings.HasSuffix(name, "position")}, nil
}

type faulty struct {
	*os.File
	disk  *disk
	place bool
}

func (f *faulty) WriteAt(b []byte, at int64) (int, error) {
	if f.place {
		if f.disk.failPlace.Load() {
			n, _ := f.File.WriteAt(b[:len(b)/2], at)
			return n, syscall.EIO
		}
		return f.File.WriteAt(b, at)
	}
	if room := f.disk.room.Load(); room >= 0 {
		if int64(len(b)) > room {
			n, _ := f.File.WriteAt(b[:room], at)
			return n, syscall.ENOSPC
		}
		f.disk.room.Add(-int64(len(b)))
	}
	return f.File.WriteAt(b, at)
}

func (f *faulty) ReadAt(b []byte, at int64) (int, error) {
	if f.disk.failRead.Load() {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(b, at)
}

func (f *faulty) Sync() error {
	if f.disk.failSync.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// A write that found no room for all of it leaves nothing of it.
func TestDiskWithoutRoomLosesNothingThatWasTaken(t *testing.T) {
	d := newDisk()
	cfg := spool.Config{Dir: t.TempDir(), SegmentBytes: 200, OpenFile: d.open}
	s, _ := open(t, cfg)
	d.room.Store(500)
	taken := 0
	for ; taken < 100; taken++ {
		if err := s.Append(records(taken, taken+1)); err != nil {
			if !errors.Is(err, spool.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("append = %v", err)
			}
			break
		}
	}
	d.room.Store(-1)
	appendAll(t, s, records(taken, taken+5))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, found := open(t, cfg)
	if found.TornBytes+found.DamagedBytes != 0 {
		t.Errorf("found %+v", found)
	}
	expect(t, readAll(t, s), 0, taken+5)
}

// What Append says it did not take is not there either.
func TestAppendThatCannotBeWrittenThroughIsTakenBack(t *testing.T) {
	d := newDisk()
	cfg := spool.Config{Dir: t.TempDir(), SyncInterval: -1, OpenFile: d.open}
	s, _ := open(t, cfg)
	appendAll(t, s, records(0, 3))
	d.failSync.Store(true)
	bytes := s.Bytes()
	if err := s.Append(records(3, 6)); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append = %v", err)
	}
	if w := s.Waiting(); w[0]+w[1] != 3 || s.Bytes() != bytes {
		t.Errorf("%v wait in %d bytes, want what was there before", w, s.Bytes())
	}
	d.failSync.Store(false)
	appendAll(t, s, records(3, 6))
	expect(t, readAll(t, s), 0, 6)
}

// Consuming goes on; a later life finds more than was left, and none missing.
func TestPositionThatCannotBeStoredHoldsNothingUp(t *testing.T) {
	d := newDisk()
	cfg := spool.Config{Dir: t.TempDir(), OpenFile: d.open}
	s, _ := open(t, cfg)
	appendAll(t, s, records(0, 10))
	s.Read(2)
	if err := s.Consume(2, []byte("two")); err != nil {
		t.Fatal(err)
	}
	d.failPlace.Store(true)
	for range 3 { // each may tear what it writes
		s.Read(1)
		if err := s.Consume(1, []byte("more")); !errors.Is(err, syscall.EIO) {
			t.Fatalf("consume = %v", err)
		}
	}
	expect(t, readAll(t, s), 5, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.failPlace.Store(false)
	s, found := open(t, cfg)
	if string(found.Meta) != "two" {
		t.Errorf("found %+v", found)
	}
	expect(t, readAll(t, s), 2, 10)
}

// A disk that goes bad under the spool costs what is bad, counted to the record.
func TestDamageWhileOpenIsSteppedOverAndCounted(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, spool.Config{Dir: dir, SegmentBytes: 200})
	appendAll(t, s, records(0, 40))
	first := int(s.Waiting()[0] + s.Waiting()[1])
	if got := len(s.Read(3)); got != 3 {
		t.Fatalf("read %d", got)
	}
	file, err := os.OpenFile(dir+"/00000000000000000001.segment", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteAt([]byte("????"), 4*(9+8)); err != nil { // the length of the fifth
		t.Fatal(err)
	}
	got := readAll(t, s)
	lost := s.Lost()
	if lost[0]+lost[1] != 1 || len(got) != first-3-1 {
		t.Errorf("%d read, lost %v", len(got), lost)
	}
	if err := s.Consume(first, nil); err != nil || s.Waiting() != (spool.Counts{}) || s.Bytes() != 0 {
		t.Errorf("consume: %v; %v wait in %d bytes", err, s.Waiting(), s.Bytes())
	}
}

func TestDiskThatGivesNothingCostsWhatIsOnIt(t *testing.T) {
	d := newDisk()
	s, _ := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 200, OpenFile: d.open})
	appendAll(t, s, records(0, 40))
	s.Read(3)
	d.failRead.Store(true)
	if got := readAll(t, s); len(got) != 0 {
		t.Errorf("read %q", got)
	}
	lost, waiting := s.Lost(), s.Waiting()
	if lost[0]+lost[1] != 37 || waiting[0]+waiting[1] != 3 {
		t.Errorf("lost %v, %v wait; want 37 and the 3 that were read", lost, waiting)
	}
	if err := s.Consume(3, nil); err != nil || s.Bytes() != 0 {
		t.Errorf("consume: %v, %d bytes", err, s.Bytes())
	}
}

func TestDroppedRecordsAreTold(t *testing.T) {
	s, _ := open(t, spool.Config{Dir: t.TempDir(), SegmentBytes: 200})
	appendAll(t, s, records(0, 30))
	s.Read(2)
	if err := s.Consume(2, nil); err != nil {
		t.Fatal(err)
	}
	var told []string
	lost, err := s.DropOldest(func(r spool.Record) { told = append(told, string(r.Data)) })
	if err != nil {
		t.Fatal(err)
	}
	expect(t, told, 2, 2+int(lost[0]+lost[1]))
}
