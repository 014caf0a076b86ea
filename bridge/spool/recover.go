package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recover reads what an earlier life left: the position, and every segment
// behind it record by record.
func (s *Spool) recover() (found Recovery, err error) {
	if s.position, s.consumed, found.Meta, err = openPosition(s.cfg); err != nil {
		return found, err
	}
	numbers, err := s.numbers()
	if err != nil {
		return found, err
	}
	for i, number := range numbers {
		segment, err := openSegment(s.cfg, number)
		if err != nil {
			return found, err
		}
		if number < s.consumed.segment || number == s.consumed.segment && s.consumed.offset >= segment.size {
			if err := segment.remove(); err != nil {
				return found, err
			}
			continue
		}
		from := int64(0)
		if number == s.consumed.segment {
			from = s.consumed.offset
		}
		torn, damaged, err := segment.examine(from, i == len(numbers)-1, s.cfg.Visit)
		found.TornBytes += torn
		found.DamagedBytes += damaged
		if err != nil {
			return found, errors.Join(err, segment.close())
		}
		s.segments = append(s.segments, segment)
		s.bytes += segment.size
		s.waiting.add(segment.held)
	}
	s.reading = s.consumed
	found.Records = s.waiting
	return found, nil
}

func (s *Spool) numbers() ([]uint64, error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool folder: %w", err)
	}
	var numbers []uint64
	for _, entry := range entries {
		var number uint64
		if _, err := fmt.Sscanf(entry.Name(), segmentName, &number); err == nil && strings.HasSuffix(entry.Name(), ".segment") {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func openSegment(cfg Config, number uint64) (*segment, error) {
	file, err := cfg.OpenFile(filepath.Join(cfg.Dir, fmt.Sprintf(segmentName, number)), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open a spool segment: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a spool segment: %w", err), file.Close())
	}
	return &segment{number: number, file: file, size: info.Size()}, nil
}

// examine counts the records from an offset on and notes what cannot be read.
// At the end of the last segment that is what a crash tore, and is cut off.
func (s *segment) examine(from int64, last bool, visit func(Record)) (torn, damaged int64, err error) {
	data := make([]byte, s.size-from)
	if _, err := s.file.ReadAt(data, from); err != nil && len(data) > 0 {
		return 0, 0, fmt.Errorf("read a spool segment: %w", err)
	}
	offset := from
	for len(data) > 0 {
		r, size, err := parseRecord(data)
		if err == nil {
			s.held[r.Kind]++
			if visit != nil {
				visit(r)
			}
		} else if size = nextSound(data); size < len(data) || !last {
			s.holes = append(s.holes, hole{offset, offset + int64(size)})
			damaged += int64(size)
		} else {
			torn = int64(len(data))
			s.size = offset
			if err := s.file.Truncate(offset); err != nil {
				return torn, damaged, fmt.Errorf("cut off a torn record: %w", err)
			}
			return torn, damaged, nil
		}
		offset += int64(size)
		data = data[size:]
	}
	return torn, damaged, nil
}

// searchBytes bounds what is summed up in looking for a sound record.
const searchBytes = 256 << 20

// nextSound is how far it is to the next sound record behind a damaged one, or
// to the end where there is none: what a damaged one says of its own length may
// be what is damaged.
func nextSound(data []byte) int {
	summed := 0
	for at := 1; at+headerBytes <= len(data) && summed < searchBytes; at++ {
		length := binary.LittleEndian.Uint32(data[at:])
		if length > maxRecord || int(length) > len(data)-at-headerBytes || data[at+lengthBytes] >= byte(Kinds) {
			continue
		}
		summed += headerBytes + int(length)
		if _, _, err := parseRecord(data[at:]); err == nil {
			return at
		}
	}
	return len(data)
}
