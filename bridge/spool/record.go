package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record is its length with the kind in the top byte, the CRC-32C of these
// four bytes and the data, and the data.
const (
	headerBytes = 8
	kindShift   = 24
	// maxRecord is what three bytes of length can say.
	maxRecord = 1<<kindShift - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("record ends behind the end")
	errDamaged = errors.New("record is damaged")
)

func appendRecord(block []byte, r Record) []byte {
	head := uint32(len(r.Data)) | uint32(r.Kind)<<kindShift
	start := len(block)
	block = binary.LittleEndian.AppendUint32(block, head)
	sum := crc32.Update(crc32.Checksum(block[start:], castagnoli), castagnoli, r.Data)
	block = binary.LittleEndian.AppendUint32(block, sum)
	return append(block, r.Data...)
}

// parseRecord reads the record at the front of block; its data aliases block.
// With errDamaged, size is how far the record says it goes.
func parseRecord(block []byte) (r Record, size int, err error) {
	if len(block) < headerBytes {
		return r, 0, errTorn
	}
	head := binary.LittleEndian.Uint32(block)
	length := int(head & maxRecord)
	size = headerBytes + length
	if len(block) < size {
		return r, 0, errTorn
	}
	r = Record{Kind: Kind(head >> kindShift), Data: block[headerBytes:size:size]}
	sum := crc32.Update(crc32.Checksum(block[:4], castagnoli), castagnoli, r.Data)
	if r.Kind >= Kinds || sum != binary.LittleEndian.Uint32(block[4:]) {
		return r, size, errDamaged
	}
	return r, size, nil
}
