package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

const (
	// slotBytes is one of two places that are written in turn, so that one is
	// whole whenever a crash comes.
	slotBytes = 4096
	// positionHead is CRC, count of writes, segment, offset, and length of meta.
	positionHead = 4 + 8 + 8 + 8 + 4
)

// position is the file that says what is consumed.
type position struct {
	file   File
	writes uint64 // that have succeeded
}

func openPosition(cfg Config) (p *position, at cursor, meta []byte, err error) {
	file, err := cfg.OpenFile(filepath.Join(cfg.Dir, "position"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, at, nil, fmt.Errorf("open the spool's position: %w", err)
	}
	p = &position{file: file}
	var both [2 * slotBytes]byte
	if _, err := file.ReadAt(both[:], 0); err != nil {
		return p, at, nil, nil //nolint:nilerr // a new file, or one that was never written whole
	}
	for slot := range 2 {
		writes, c, m, ok := parsePosition(both[slot*slotBytes : (slot+1)*slotBytes])
		if ok && writes > p.writes {
			p.writes, at, meta = writes, c, m
		}
	}
	return p, at, meta, nil
}

func parsePosition(slot []byte) (writes uint64, at cursor, meta []byte, ok bool) {
	length := binary.LittleEndian.Uint32(slot[28:])
	if length > slotBytes-positionHead {
		return 0, at, nil, false
	}
	end := positionHead + int(length)
	if crc32.Checksum(slot[4:end], castagnoli) != binary.LittleEndian.Uint32(slot) {
		return 0, at, nil, false
	}
	at = cursor{segment: binary.LittleEndian.Uint64(slot[12:]), offset: int64(binary.LittleEndian.Uint64(slot[20:]))}
	return binary.LittleEndian.Uint64(slot[4:]), at, slot[positionHead:end:end], true
}

// store writes the position. It needs no room on a disk that is full, but for
// the first time.
func (p *position) store(at cursor, meta []byte) error {
	if len(meta) > slotBytes-positionHead {
		return fmt.Errorf("store the spool's position: %d bytes of meta are too many", len(meta))
	}
	if p.writes == 0 {
		if err := p.file.Truncate(2 * slotBytes); err != nil {
			return fmt.Errorf("store the spool's position: %w", err)
		}
	}
	// One that failed is tried again in its own place: the other is whole.
	number := p.writes + 1
	slot := make([]byte, 4, positionHead+len(meta))
	slot = binary.LittleEndian.AppendUint64(slot, number)
	slot = binary.LittleEndian.AppendUint64(slot, at.segment)
	slot = binary.LittleEndian.AppendUint64(slot, uint64(at.offset))
	slot = binary.LittleEndian.AppendUint32(slot, uint32(len(meta)))
	slot = append(slot, meta...)
	binary.LittleEndian.PutUint32(slot, crc32.Checksum(slot[4:], castagnoli))
	if _, err := p.file.WriteAt(slot, int64(number%2)*slotBytes); err != nil {
		return fmt.Errorf("store the spool's position: %w", err)
	}
	p.writes = number
	return nil
}

func (p *position) close() error {
	if err := p.file.Close(); err != nil {
		return fmt.Errorf("close the spool's position: %w", err)
	}
	return nil
}
