package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// segmentName sorts as the numbers do.
const segmentName = "%020d.segment"

// readBytes is how much is read at once.
const readBytes = 1 << 20

// segment is one file of records.
type segment struct {
	number   uint64
	file     File
	size     int64
	held     Counts
	consumed Counts
	holes    []hole // what is damaged and stepped over, in order
}

// hole is a stretch of a segment that cannot be read.
type hole struct{ from, to int64 }

func createSegment(cfg Config, number uint64) (*segment, error) {
	file, err := cfg.OpenFile(filepath.Join(cfg.Dir, fmt.Sprintf(segmentName, number)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, full(fmt.Errorf("make a spool segment: %w", err))
	}
	return &segment{number: number, file: file}, nil
}

// full says of an error that it comes from a disk without room.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// append writes all of block or leaves the segment as it was.
func (s *segment) append(block []byte, counts Counts) error {
	if _, err := s.file.WriteAt(block, s.size); err != nil {
		return errors.Join(full(fmt.Errorf("write to the spool: %w", err)), s.file.Truncate(s.size))
	}
	s.size += int64(len(block))
	s.held.add(counts)
	return nil
}

// undo takes the last block off again.
func (s *segment) undo(block []byte, counts Counts) error {
	s.size -= int64(len(block))
	s.held.subtract(counts)
	if err := s.file.Truncate(s.size); err != nil {
		return fmt.Errorf("take back what was spooled: %w", err)
	}
	return nil
}

// passed is a record that was read, and where it ends.
type passed struct {
	kind Kind
	end  cursor
}

// read reads up to limit records from offset on; none at the end. With an error,
// offset is where it could not go on.
func (s *segment) read(offset int64, limit int) (records []Record, ends []passed, after int64, err error) {
	block, offset, err := s.load(offset, readBytes)
	if err != nil {
		return nil, nil, offset, err
	}
	for len(records) < limit && len(block) > 0 {
		r, size, err := parseRecord(block)
		if err != nil && len(records) > 0 {
			break // the next read sees to it
		}
		if errors.Is(err, errTorn) {
			// Longer than what is read at once.
			if block, offset, err = s.load(offset, maxRecord+headerBytes); err != nil {
				return nil, nil, offset, err
			}
			r, size, err = parseRecord(block)
		}
		if err != nil {
			return nil, nil, offset, fmt.Errorf("read spool segment %d at %d: %w", s.number, offset, err)
		}
		records = append(records, r)
		offset += int64(size)
		ends = append(ends, passed{r.Kind, cursor{s.number, offset}})
		block = block[size:]
	}
	return records, ends, offset, nil
}

// load gives up to limit bytes from offset on, up to the next hole. Where offset
// is at a hole it steps over it.
func (s *segment) load(offset int64, limit int) (block []byte, from int64, err error) {
	offset = s.beyondHoles(offset)
	end := min(s.size, offset+int64(limit))
	for _, h := range s.holes {
		if h.from > offset {
			end = min(end, h.from)
		}
	}
	if end <= offset {
		return nil, offset, nil
	}
	block = make([]byte, end-offset)
	if _, err := s.file.ReadAt(block, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, offset, fmt.Errorf("read the spool: %w", err)
	}
	return block, offset, nil
}

func (s *segment) beyondHoles(offset int64) int64 {
	for _, h := range s.holes {
		if offset >= h.from && offset < h.to {
			offset = h.to
		}
	}
	return offset
}

// left is what is not consumed.
func (s *segment) left() Counts {
	left := s.held
	left.subtract(s.consumed)
	return left
}

func (s *segment) close() error {
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("close a spool segment: %w", err)
	}
	return nil
}

func (s *segment) remove() error {
	if err := errors.Join(s.file.Close(), os.Remove(s.file.Name())); err != nil {
		return fmt.Errorf("remove a spool segment: %w", err)
	}
	return nil
}
