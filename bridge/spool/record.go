package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record is the length of its data, its kind, the CRC-32C of both and of the
// data, and the data.
const (
	lengthBytes = 4
	kindBytes   = 1
	sumBytes    = 4
	headerBytes = lengthBytes + kindBytes + sumBytes
	// maxRecord is larger than what NATS takes as a message.
	maxRecord = 65 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("record ends behind the end")
	errDamaged = errors.New("record is damaged")
)

func appendRecord(block []byte, r Record) []byte {
	start := len(block)
	block = binary.LittleEndian.AppendUint32(block, uint32(len(r.Data)))
	block = append(block, byte(r.Kind))
	block = binary.LittleEndian.AppendUint32(block, checksum(block[start:], r.Data))
	return append(block, r.Data...)
}

func checksum(head, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[:lengthBytes+kindBytes], castagnoli), castagnoli, data)
}

// parseRecord reads the record at the front of block; its data aliases block.
// With errDamaged, size is how far the record says it goes.
func parseRecord(block []byte) (r Record, size int, err error) {
	if len(block) < headerBytes {
		return r, 0, errTorn
	}
	length := binary.LittleEndian.Uint32(block)
	if length > maxRecord || len(block)-headerBytes < int(length) {
		return r, 0, errTorn
	}
	size = headerBytes + int(length)
	r = Record{Kind: Kind(block[lengthBytes]), Data: block[headerBytes:size:size]}
	if r.Kind >= Kinds || checksum(block, r.Data) != binary.LittleEndian.Uint32(block[lengthBytes+kindBytes:]) {
		return r, size, errDamaged
	}
	return r, size, nil
}
